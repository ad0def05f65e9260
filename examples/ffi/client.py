#!/usr/bin/env python3
"""A Python binding of rill that builds itself when it is loaded, and a small model trained with it.

rill_api_json describes the library: from functions[] come the argument and result types of every C
function, from ops[] one Python function each, which calls the op by name with tagged values. Nothing
below knows a single op. Usage: client.py [path of librill.so]
"""
import ctypes
import json
import re
import sys


# ---- the library, as its JSON describes it --------------------------------------------------------

SCALARS = {
    "void": None, "bool": ctypes.c_bool, "char": ctypes.c_char, "int": ctypes.c_int,
    "unsigned": ctypes.c_uint, "float": ctypes.c_float, "double": ctypes.c_double,
    "size_t": ctypes.c_size_t, "int8_t": ctypes.c_int8, "uint8_t": ctypes.c_uint8,
    "int16_t": ctypes.c_int16, "uint16_t": ctypes.c_uint16, "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
}


def c_type(text, enums):
    """The ctypes type of "const rill_tensor *a": of a parameter, or of what comes back."""
    if "(" in text:  # a pointer to a function, spelled out
        return ctypes.c_void_p
    words = re.findall(r"\w+", text.replace("const", ""))
    if "*" in text or "[" in text:
        return ctypes.c_char_p if words[0] == "char" and text.count("*") == 1 else ctypes.c_void_p
    if words[0] in SCALARS:
        return SCALARS[words[0]]
    return ctypes.c_int if words[0] in enums else ctypes.c_void_p  # the rest names callbacks


def split_arguments(text):
    """Splits at the commas outside parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def declare(library, function, enums):
    name, signature = function["name"], function["signature"]
    head, tail = signature.split(name + "(", 1)
    arguments = tail[:tail.rindex(")")]
    entry = getattr(library, name)
    entry.restype = c_type(head, enums)
    entry.argtypes = [] if arguments == "void" else [c_type(a, enums) for a in split_arguments(arguments)]


class _As(ctypes.Union):
    _fields_ = [("tensor", ctypes.c_void_p), ("tensors", ctypes.c_void_p), ("i", ctypes.c_int64),
                ("ints", ctypes.c_void_p), ("f", ctypes.c_double), ("string", ctypes.c_char_p)]


class Value(ctypes.Structure):
    """rill_value of rill/registry.h."""
    _fields_ = [("kind", ctypes.c_int32), ("count", ctypes.c_int32), ("value", _As)]


class Error(Exception):
    pass


class Tensor:
    """Holds one reference of its own, and so outlives every scope."""

    def __init__(self, rill, handle):
        self.rill, self.handle = rill, rill.lib.rill_tensor_retain(handle)

    def __del__(self):
        self.rill.lib.rill_tensor_release(self.handle)

    @property
    def shape(self):
        lib = self.rill.lib
        return [lib.rill_tensor_size(self.handle, d) for d in range(lib.rill_tensor_ndim(self.handle))]

    @property
    def grad(self):
        handle = self.rill.lib.rill_tensor_grad(self.handle)
        return Tensor(self.rill, handle) if handle else None

    def requires_grad(self):
        self.rill.run("rill_set_requires_grad", self.handle, True)
        return self

    def zero_grad(self):
        self.rill.run("rill_set_grad", self.handle, None)

    def backward(self):
        self.rill.run("rill_backward", self.handle, None, False)

    def item(self):
        return self.rill.run("rill_tensor_item", self.handle)

    def tolist(self):
        n = self.rill.lib.rill_tensor_numel(self.handle)
        out = (ctypes.c_double * n)()
        self.rill.run("rill_tensor_copy_out", self.handle, self.rill.dtype["f64"], out, ctypes.sizeof(out))
        return list(out)


class Rill:
    """A context. Every op of the library is a method: rill.softmax(x, dim=-1)."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.rill_context_create.restype = ctypes.c_void_p
        self.lib.rill_context_create.argtypes = [ctypes.c_void_p]
        self.lib.rill_api_json.restype = ctypes.c_char_p
        self.lib.rill_api_json.argtypes = [ctypes.c_void_p]
        self.ctx = self.lib.rill_context_create(None)
        self.api = json.loads(self.lib.rill_api_json(self.ctx))
        enums = {e["name"]: e["values"] for e in self.api["enums"]}
        self.missing = [f["name"] for f in self.api["functions"] if not hasattr(self.lib, f["name"])]
        for function in self.api["functions"]:
            if function["name"] not in self.missing:
                declare(self.lib, function, enums)
        self.kinds = {k[len("RILL_VALUE_"):]: v for k, v in enums["rill_value_kind"].items()}
        self.dtype = {k[len("RILL_"):].lower(): v for k, v in enums["rill_dtype"].items()}
        for op in self.api["ops"]:
            setattr(self, op["functional"][len("rill_"):], self.make_op(op))

    def close(self):
        self.lib.rill_context_close(self.ctx)
        self.ctx = None

    def check(self):
        if self.lib.rill_error(self.ctx):
            message = self.lib.rill_error_message(self.ctx).decode()
            self.lib.rill_error_clear(self.ctx)
            raise Error(message)

    def run(self, name, *args):
        """Calls a C function with the context before its arguments. A handle comes as a Tensor."""
        function = getattr(self.lib, name)
        self.lib.rill_scope_open(self.ctx)
        try:
            result = function(self.ctx, *args)
            self.check()
            return Tensor(self, result) if result and function.restype is ctypes.c_void_p else result
        finally:
            self.lib.rill_scope_close(self.ctx)

    def tagged(self, given, kind):
        """A Python value as a rill_value, and what must stay alive during the call."""
        if given is None:
            return Value(self.kinds["NONE"]), None
        if kind == "Tensor[]":
            handles = (ctypes.c_void_p * len(given))(*[t.handle for t in given])
            return Value(self.kinds["TENSORS"], len(given), _As(tensors=ctypes.addressof(handles))), handles
        if kind == "int[]":
            ints = (ctypes.c_int64 * len(given))(*given)
            return Value(self.kinds["INTS"], len(given), _As(ints=ctypes.addressof(ints))), ints
        if isinstance(given, Tensor):
            return Value(self.kinds["TENSOR"], 1, _As(tensor=given.handle)), given
        if isinstance(given, str):
            text = given.encode()
            return Value(self.kinds["STRING"], 1, _As(string=text)), text
        if isinstance(given, bool):
            return Value(self.kinds["BOOL"], 1, _As(i=given)), None
        if isinstance(given, float) or kind.startswith("float"):
            return Value(self.kinds["FLOAT"], 1, _As(f=given)), None
        return Value(self.kinds["INT"], 1, _As(i=given)), None

    def make_op(self, op):
        parameters = []
        for part in op["signature"].split("->")[0].split(","):
            if ":" in part:
                name, kind = part.split("=")[0].split(":")
                parameters.append((name.strip(), kind.strip()))
        names = [name for name, _ in parameters]

        def call(*args, **keywords):
            given = dict(zip(names, args))
            unknown = [k for k in keywords if k not in names or k in given]
            if unknown or len(args) > len(names):
                raise TypeError(f"{op['name']}: cannot take {unknown or args}: {op['signature']}")
            given.update(keywords)
            pairs = [self.tagged(given.get(name), kind) for name, kind in parameters]
            values = (Value * max(1, len(pairs)))(*[value for value, _ in pairs])
            outputs, count = (ctypes.c_void_p * 64)(), ctypes.c_int()
            self.lib.rill_scope_open(self.ctx)
            try:
                self.lib.rill_call(self.ctx, op["name"].encode(), values, len(pairs), outputs,
                                   len(outputs), ctypes.byref(count))
                self.check()
                results = [Tensor(self, outputs[i]) for i in range(count.value)]
            finally:
                self.lib.rill_scope_close(self.ctx)
            return results[0] if len(results) == 1 else results

        call.__name__ = op["functional"]
        call.__doc__ = f"{op['doc']}\n\n{op['signature']}"
        return call

    def tensor(self, values, shape, dtype="f32"):
        buffer = {"f32": ctypes.c_float, "i64": ctypes.c_int64}[dtype] * len(values)
        sizes = (ctypes.c_int64 * len(shape))(*shape)
        return self.run("rill_from_buffer", self.dtype[dtype], sizes, len(shape), buffer(*values))

    def randn(self, *shape):
        return self.run("rill_randn", self.dtype["f32"], (ctypes.c_int64 * len(shape))(*shape), len(shape))


# ---- a model of two layers that learns to tell two moons apart -----------------------------------

def two_moons(rill, count):
    from math import cos, pi, sin
    points, labels = [], []
    for i in range(count):
        angle, moon = pi * (i // 2) / (count // 2 - 1), i % 2
        points += [1 - cos(angle), 0.5 - sin(angle)] if moon else [cos(angle), sin(angle)]
        labels.append(moon)
    noise = rill.mul_scalar(rill.randn(count, 2), 0.1)
    return rill.add(rill.tensor(points, [count, 2]), noise), rill.tensor(labels, [count], "i64")


def main():
    rill = Rill(sys.argv[1] if len(sys.argv) > 1 else "lib/librill.so")
    api = rill.api
    print(f"rill {api['version']}: {len(api['functions'])} functions, {len(api['ops'])} ops, "
          f"{len(api['modules'])} modules")
    if rill.missing:
        print("declared, but not in the library:", *rill.missing)
    points, labels = two_moons(rill, 256)
    scales = [((16, 2), 1.0), ((16,), 0.1), ((2, 16), 0.25), ((2,), 0.1)]
    weights = [rill.mul_scalar(rill.randn(*shape), scale).requires_grad() for shape, scale in scales]
    w1, b1, w2, b2 = weights
    modes = {k: v for e in api["enums"] if e["name"] == "rill_grad_mode" for k, v in e["values"].items()}
    for step in range(501):
        hidden = rill.tanh(rill.linear(points, weight=w1, bias=b1))
        scores = rill.linear(hidden, weight=w2, bias=b2)
        loss = rill.cross_entropy(scores, labels)
        if step % 100 == 0:
            right = rill.eq(rill.argmax(scores, dim=-1), labels).tolist()
            print(f"step {step:3d}  loss {loss.item():.4f}  accuracy {sum(right) / len(right):.3f}")
        loss.backward()
        before = rill.lib.rill_set_grad_mode(rill.ctx, modes["RILL_GRAD_OFF"])
        for w in weights:
            rill.run("rill_add_", w.handle, w.grad.handle, -1.0)
            w.zero_grad()
        rill.lib.rill_set_grad_mode(rill.ctx, before)
    try:
        rill.matmul(points, points)
    except Error as error:
        print(f"errors arrive as sentences: {error}")
    rill.close()


if __name__ == "__main__":
    main()
