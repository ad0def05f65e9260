#!/usr/bin/env python3
"""Computes tests/golden/mamba.h: a Mamba block and its gradients with PyTorch in float64.

The block as in Gu and Dao 2023, from its formulas (sequence.py); parameters under the names of the
authors' implementation.

    python3 tests/golden/mamba.py
"""

import pathlib

import torch
import torch.nn.functional as F

import sequence

WIDTH, STATE, CONV, EXPAND, RANK, BATCH, STEPS = 5, 3, 3, 2, 2, 2, 7
INNER = WIDTH * EXPAND
SHAPES = {
    "A_log": (INNER, STATE), "D": (INNER,), "in_proj.weight": (2 * INNER, WIDTH), "conv1d.weight": (INNER, 1, CONV),
    "conv1d.bias": (INNER,), "x_proj.weight": (RANK + 2 * STATE, INNER), "dt_proj.weight": (INNER, RANK),
    "dt_proj.bias": (INNER,), "out_proj.weight": (WIDTH, INNER),
}


def mamba(x, p):
    u, z = F.linear(x, p["in_proj.weight"]).split(INNER, -1)
    u = sequence.causal_conv1d(u, p["conv1d.weight"][:, 0], p["conv1d.bias"], silu=True)
    low, B, C = F.linear(u, p["x_proj.weight"]).split([RANK, STATE, STATE], -1)
    delta = F.linear(low, p["dt_proj.weight"])
    y = sequence.selective_scan(u, delta, -torch.exp(p["A_log"]), B, C, p["D"], z, p["dt_proj.bias"], None, True)
    return F.linear(y, p["out_proj.weight"])


def array(name, t):
    numbers = ", ".join(float(v).hex() for v in t.detach().flatten())
    return f"static const double {name}[] = {{{numbers}}};\n"


def main():
    torch.manual_seed(11)
    p = {k: torch.randn(s, dtype=torch.float64).mul(0.5).requires_grad_() for k, s in SHAPES.items()}
    x = torch.randn(BATCH, STEPS, WIDTH, dtype=torch.float64, requires_grad=True)
    y = mamba(x, p)
    seed = torch.randn(y.shape, dtype=torch.float64)
    y.backward(seed)
    out = "/* Made by tests/golden/mamba.py. */\n"
    sizes = dict(WIDTH=WIDTH, STATE=STATE, CONV=CONV, EXPAND=EXPAND, RANK=RANK, BATCH=BATCH, STEPS=STEPS)
    out += "enum { " + ", ".join(f"MAMBA_{k} = {v}" for k, v in sizes.items()) + " };\n"
    out += array("mamba_x", x) + array("mamba_y", y) + array("mamba_seed", seed) + array("mamba_grad_x", x.grad)
    for name, t in p.items():
        out += array("mamba_" + name.replace(".", "_"), t) + array("mamba_grad_" + name.replace(".", "_"), t.grad)
    out += "static const struct {\n  const char *path;\n  const double *value, *grad;\n} mamba_parameters[] = {\n"
    for name in p:
        c = name.replace(".", "_")
        out += f'    {{"{name}", mamba_{c}, mamba_grad_{c}}},\n'
    out += "};\n"
    (pathlib.Path(__file__).parent / "mamba.h").write_text(out)


main()
