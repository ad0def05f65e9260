"""Writes optim_kernels.h: three steps of PyTorch's optimizers on the same parameters and gradients."""
import torch

START = [0.5, -1.25, 2.0, -0.125]
GRADS = [[0.1, -0.2, 0.3, 1.5], [-1.0, 0.25, 0.0, 0.5], [0.05, 2.0, -0.75, -0.5]]


def run(make):
    p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = make([p])
    for g in GRADS:
        p.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
    return p.tolist()


o = torch.optim
CASES = [
    ("sgd", lambda p: o.SGD(p, lr=0.1)),
    ("sgd_decay", lambda p: o.SGD(p, lr=0.1, weight_decay=0.01)),
    ("sgd_momentum", lambda p: o.SGD(p, lr=0.1, momentum=0.9, dampening=0.25, weight_decay=0.01)),
    ("sgd_nesterov", lambda p: o.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("adam", lambda p: o.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    ("adam_amsgrad", lambda p: o.Adam(p, lr=0.01, betas=(0.8, 0.5), eps=1e-6, amsgrad=True)),
    ("adamw", lambda p: o.AdamW(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    ("adamw_amsgrad", lambda p: o.AdamW(p, lr=0.01, betas=(0.8, 0.5), eps=1e-6, weight_decay=0.1,
                                        amsgrad=True)),
]
print("/* Made by optim.py: the parameters after three steps. */")
for name, make in CASES:
    print(f"static const double golden_{name}[4] = {{" + ", ".join(map(repr, run(make))) + "};")
