#!/usr/bin/env python3
"""Computes the golden vectors of the ops with PyTorch in float64.

    python3 tests/golden/ops.py            all of tests/ops/*.cases
    python3 tests/golden/ops.py view join  those

tests/oracle/run.py calls the same with other random numbers and another place for the files.

Each tests/ops/NAME.cases gives tests/golden/NAME.ops. A line of it is one case:

    op | arguments | expected | flags

op         short name, as in src/ops/table.h
arguments  Python: name=value for each, in the order of the op's signature, trailing ones with
           defaults left out or not. The functions below make tensors; each f64 tensor wants a
           gradient, unless it stands in const(...)
expected   an expression over the arguments' names, torch and F; empty: torch.OP or F.OP of the
           arguments in order. Or the error it must give: "SHAPE: words of the message"
flags      nograd: no gradients (in-place ops); nocheck: no gradcheck (no unique derivative there,
           or one that is zero by definition);
           nof32: not run in f32; contiguous: not run on strided inputs

A .ops file holds everything the test needs: the line, the arguments, the outputs and, for the seed
gradient of seed(), the gradients. Integers are int64, little-endian; bytes are padded to 8.
"""

import pathlib
import struct
import sys
import zlib

import torch
import torch.nn.functional as F

import sequence
import sliding

torch.use_deterministic_algorithms(True)
HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parent / "ops"

f32, f64, f16, bf16 = torch.float32, torch.float64, torch.float16, torch.bfloat16
i32, i64, u8, bool_ = torch.int32, torch.int64, torch.uint8, torch.bool
DTYPES = [f32, f64, f16, bf16, i32, i64, u8, bool_]
FLAGS = ["nograd", "nocheck", "nof32", "contiguous"]
ERRORS = ["OK", "MEMORY", "ARGUMENT", "SHAPE", "DTYPE", "INDEX", "OVERFLOW", "GRAPH", "IO", "FORMAT",
          "NOT_FOUND", "UNSUPPORTED", "STATE", "CALLBACK"]
NONE, TENSOR, TENSORS, INT, INTS, FLOAT, BOOL, STRING = range(8)


# ---- what the arguments are made of; all values are exact in f32 ------------------------------------

def exact(t):
    return torch.round(t * 4096) / 4096


def randn(*shape):
    return exact(torch.randn(shape, dtype=f64))


def uniform(low, high, *shape):
    return exact(torch.rand(shape, dtype=f64) * (high - low) + low)


def distinct(*shape):
    """In random order, no two closer than 1/8."""
    n = torch.Size(shape).numel()
    return ((torch.randperm(n) - n // 2).to(f64) / 8).reshape(shape)


def ints(low, high, *shape):
    return torch.randint(low, high, shape)


def bools(*shape):
    return torch.rand(shape) < 0.5


def tensor(values, dtype=f64):
    return torch.tensor(values, dtype=dtype)


def const(t):
    t.is_const = True
    return t


MAKERS = {k: v for k, v in globals().items() if not k.startswith("__")}
MAKERS.update(inf=float("inf"), nan=float("nan"), INT64_MAX=2**63 - 1, INT64_MIN=-(2**63))


def seed(numel):
    """The gradient that comes into an output; the test computes the same."""
    return torch.tensor([(i * 37 % 19 - 9) / 8 + 1 / 16 for i in range(numel)], dtype=f64)


# ---- the file ---------------------------------------------------------------------------------------

def pad(b):
    return b + bytes(-len(b) % 8)


def integers(*values):
    return struct.pack(f"<{len(values)}q", *values)


def text(s):
    b = s.encode()
    return integers(len(b)) + pad(b + b"\0")


def tensor_bytes(t):
    wants = t.requires_grad and t.is_leaf
    t = t.detach().contiguous()
    size = t.element_size()
    raw = t.flatten().view({1: u8, 2: torch.int16, 4: i32, 8: i64}[size] if size > 1 or t.dtype != bool_ else u8)
    return integers(DTYPES.index(t.dtype), t.ndim, int(wants), *t.shape) + pad(raw.numpy().tobytes())


def value_bytes(v):
    if v is None:
        return integers(NONE)
    if isinstance(v, torch.Tensor):
        return integers(TENSOR) + tensor_bytes(v)
    if isinstance(v, torch.dtype):
        return integers(INT, DTYPES.index(v))
    if isinstance(v, bool):
        return integers(BOOL, int(v))
    if isinstance(v, int):
        return integers(INT, v)
    if isinstance(v, float):
        return integers(FLOAT) + struct.pack("<d", v)
    if isinstance(v, str):
        return integers(STRING) + text(v)
    if all(isinstance(x, torch.Tensor) for x in v) and len(v):
        return integers(TENSORS, len(v)) + b"".join(map(tensor_bytes, v))
    return integers(INTS, len(v), *v)


# ---- a case -----------------------------------------------------------------------------------------

def tensors_of(args):
    for v in args.values():
        for t in v if isinstance(v, (list, tuple)) else [v]:
            if isinstance(t, torch.Tensor):
                yield t


def compute(op, args, expected):
    if expected:
        result = eval(expected, {"torch": torch, "F": F, **MAKERS}, args)
    else:
        function = getattr(torch, op, None) or getattr(F, op)
        result = function(*args.values())
    return list(result) if isinstance(result, (list, tuple)) else [result]


def case_bytes(line, salt=0):
    columns = [c.strip() for c in line.split(" | ")] + [""] * 3
    op, arguments, expected, flags = columns[:4]
    torch.manual_seed(zlib.crc32(line.encode()) + salt)
    args = eval(f"dict({arguments})", dict(MAKERS))
    flags = flags.split()
    unknown = set(flags) - set(FLAGS)
    assert not unknown, f"no such flags: {unknown}"
    error, message = 0, ""
    if ":" in expected and expected.split(":")[0] in ERRORS:
        error, message = ERRORS.index(expected.split(":")[0]), expected.split(":", 1)[1].strip()
    for t in tensors_of(args):
        t.requires_grad_(t.dtype == f64 and "nograd" not in flags and not hasattr(t, "is_const") and not error)
    head = text(line) + text(op) + integers(sum(1 << FLAGS.index(f) for f in flags), error) + text(message)
    head += integers(len(args)) + b"".join(text(k) + value_bytes(v) for k, v in args.items())
    if error:
        return head + integers(0, 0)
    outputs = compute(op, args, expected)
    wanted = [t for t in tensors_of(args) if t.requires_grad]
    recorded = [o for o in outputs if o.requires_grad]
    body = integers(len(outputs))
    for o in outputs:
        body += integers(int(o.requires_grad)) + tensor_bytes(o)
    if not recorded:
        return head + body + integers(0)
    grads = torch.autograd.grad(recorded, wanted, [seed(o.numel()).to(o.dtype).reshape(o.shape) for o in recorded],
                                allow_unused=True)
    grads = [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, grads)]
    return head + body + integers(len(grads)) + b"".join(map(tensor_bytes, grads))


def main(names, salt=0, out_dir=HERE):
    paths = [CASES / f"{n}.cases" for n in names] or sorted(CASES.glob("*.cases"))
    for path in paths:
        cases = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                cases.append(case_bytes(line, salt))
            except Exception as e:
                sys.exit(f"{path}:{number}: {line}\n{type(e).__name__}: {e}")
        out = b"RILLOPS1" + integers(len(cases)) + b"".join(cases)
        (out_dir / f"{path.stem}.ops").write_bytes(out)
        print(f"{path.stem}: {len(cases)} cases, {len(out)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
