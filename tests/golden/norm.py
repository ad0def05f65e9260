"""Writes norm.h: PyTorch's gradients of vector norms of [1, -2, 0]."""
import torch

print("/* Made by norm.py: orders 0.5, 1, 1.5, 2, 3, inf, -inf. */")
print("static const double golden_norm_grad[7][3] = {")
for p in (0.5, 1, 1.5, 2, 3, float("inf"), -float("inf")):
    x = torch.tensor([1, -2, 0], dtype=torch.float64, requires_grad=True)
    torch.linalg.vector_norm(x, p).backward()
    print("    {" + ", ".join(repr(v) for v in x.grad.tolist()) + "},")
print("};")
