#!/usr/bin/env python3
"""Writes tests/golden/safetensors.h: files made by the reference implementation. (A script named
safetensors.py would hide the package.)

    pip install safetensors==0.8.0 torch==2.13.0 && python3 tests/golden/make_safetensors.py
"""
import pathlib
import torch
from safetensors.torch import save


def pattern(dtype, *shape):
    """A tensor whose bytes count up (a bool's alternate), so that any mix-up shows."""
    n = 1
    for size in shape:
        n *= size
    size = torch.empty((), dtype=dtype).element_size()
    raw = torch.arange(n * size, dtype=torch.int64)
    raw = (raw % 2 if dtype == torch.bool else raw % 251).to(torch.uint8)
    return raw.view(dtype).reshape(shape)


FILES = {
    "mixed": save(
        {
            "z.weight": pattern(torch.float32, 2, 3),
            "a.bias": pattern(torch.float32, 3),
            "half": pattern(torch.float16, 5),
            "brain": pattern(torch.bfloat16, 1, 2),
            "double": pattern(torch.float64, 2),
            "ids": pattern(torch.int64, 2, 1),
            "steps": pattern(torch.int32),
            "bytes": pattern(torch.uint8, 3),
            "mask": pattern(torch.bool, 4),
            "none": pattern(torch.float32, 2, 0, 3),
            "B": pattern(torch.float32, 1),
            "short": pattern(torch.int16, 2),
            "complex": pattern(torch.complex64, 1),
            "f8": pattern(torch.float8_e4m3fn, 3),
            'quote"back\\slash/tab\tesc\x1b\x7f\u00e9\U0001d11e': pattern(torch.uint8, 1),
        },
        {"format": 'pt\n"\u00e9"\x08\x0c\r'},
    ),
    "plain": save({"weight": pattern(torch.float32, 2, 2)}),
    "empty": save({}),
}

out = ["/* Made by make_safetensors.py with safetensors 0.8.0: do not edit. */"]
for name, data in FILES.items():
    out.append(f"static const unsigned char golden_{name}[{len(data)}] = {{")
    for i in range(0, len(data), 20):
        out.append("    " + " ".join(f"{b}," for b in data[i : i + 20]))
    out.append("};")
pathlib.Path(__file__).with_name("safetensors.h").write_text("\n".join(out) + "\n")
