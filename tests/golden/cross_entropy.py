"""Writes cross_entropy.h: PyTorch's mean of smoothed, weighted cross entropy, with its gradient."""
import torch

x = torch.tensor([[0.5, -1, 2, 0], [1.5, 1, -0.25, 3], [-2, 0.75, 0.125, -1.5]],
                 dtype=torch.float64, requires_grad=True)
weight = torch.tensor([0.5, 1, 2, 0.25], dtype=torch.float64)
loss = torch.nn.functional.cross_entropy(x, torch.tensor([2, -100, 1]), weight, label_smoothing=0.2)
loss.backward()
print("/* Made by cross_entropy.py. */")
print(f"static const double golden_mean = {loss.item()!r};")
print("static const double golden_grad[12] = {")
for row in x.grad.tolist():
    print("    " + ", ".join(repr(v) for v in row) + ",")
print("};")
