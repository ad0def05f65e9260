"""Writes optim.h: parameters after five steps of each optimizer, by PyTorch in float64."""
import torch

START = [0.5, -1.25, 2.0, 0.125]
CASES = [
    ("sgd", torch.optim.SGD, dict(lr=0.1)),
    ("sgd_momentum", torch.optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.25, weight_decay=0.05)),
    ("sgd_nesterov", torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)),
    ("adam", torch.optim.Adam, dict(lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.05)),
    ("adam_default", torch.optim.Adam, dict()),
    ("adamw", torch.optim.AdamW, dict(lr=0.1, weight_decay=0.05)),
]

print("/* Made by optim.py: (p^2 * [1,2,3,4]).sum() + p.sum() minimised for five steps, in float64. */")
for name, kind, options in CASES:
    p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = kind([p], **options)
    for _ in range(5):
        optimizer.zero_grad()
        ((p * p * torch.tensor([1.0, 2, 3, 4], dtype=torch.float64)).sum() + p.sum()).backward()
        optimizer.step()
    print(f"static const double golden_{name}[4] = {{{', '.join(repr(v) for v in p.tolist())}}};")
