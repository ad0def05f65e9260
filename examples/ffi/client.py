#!/usr/bin/env python3
"""A Python binding of rill that builds itself when it is loaded, and a small model trained with it.

rill_api_json describes the library: from structs[], callbacks[] and enums[] come its types, from functions[]
the argument and result types of every C function, from ops[] one Python function each, which calls the
op by name with tagged values. Nothing below knows a single op. Usage: client.py [path of librill.so]
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


def c_type(text, types):
    """The ctypes type of "const rill_tensor *a" or "int64_t[3]": of a parameter, a field or a result."""
    words = re.findall(r"\w+", text.replace("const", ""))
    if "*" in text:
        return ctypes.c_char_p if words[0] == "char" and text.count("*") == 1 else ctypes.c_void_p
    return types[words[0]] * int(words[1]) if "[" in text else types[words[0]]


def parameters(text, types):
    return [] if text == "void" else [c_type(part, types) for part in text.split(",")]


def read_types(api):
    """The ctypes type of every type that goes by value."""
    types = dict(SCALARS)
    types.update((enum["name"], ctypes.c_int) for enum in api["enums"])
    for callback in api["callbacks"]:
        result, tail = callback["type"][:-1].split("(*)(")
        types[callback["name"]] = ctypes.CFUNCTYPE(c_type(result, types), *parameters(tail, types))
    for struct in api["structs"]:
        base = ctypes.Union if struct["union"] else ctypes.Structure
        fields = [(field["name"], c_type(field["type"], types)) for field in struct["fields"]]
        types[struct["name"]] = type(struct["name"], (base,), {"_fields_": fields})
    return types


def declare(library, function, types):
    head, tail = function["signature"][:-1].split(function["name"] + "(", 1)
    entry = getattr(library, function["name"])
    entry.restype = c_type(head, types)
    entry.argtypes = parameters(tail, types)


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
        out = (ctypes.c_double * self.rill.lib.rill_tensor_numel(self.handle))()
        f64 = self.rill.constants["RILL_F64"]
        self.rill.run("rill_tensor_copy_out", self.handle, f64, out, ctypes.sizeof(out))
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
        self.types = read_types(self.api)
        self.constants = {c["name"]: c["value"] for c in self.api["constants"]}
        for enum in self.api["enums"]:
            self.constants.update(enum["values"])
        self.missing = [f["name"] for f in self.api["functions"] if not hasattr(self.lib, f["name"])]
        for function in self.api["functions"]:
            if function["name"] not in self.missing:
                declare(self.lib, function, self.types)
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

    def value(self, kind, count=1, **content):
        content = self.types["rill_value_as"](**content)
        return self.types["rill_value"](self.constants["RILL_VALUE_" + kind], count, content)

    def tagged(self, given, kind):
        """A Python value as a rill_value, and what must stay alive during the call."""
        if given is None:
            return self.value("NONE"), None
        if kind == "Tensor[]":
            handles = (ctypes.c_void_p * len(given))(*[t.handle for t in given])
            return self.value("TENSORS", len(given), tensors=ctypes.addressof(handles)), handles
        if kind == "int[]":
            ints = (ctypes.c_int64 * len(given))(*given)
            return self.value("INTS", len(given), ints=ctypes.addressof(ints)), ints
        if isinstance(given, Tensor):
            return self.value("TENSOR", tensor=given.handle), given
        if isinstance(given, str):
            text = given.encode()
            return self.value("STRING", string=text), text
        if isinstance(given, bool):
            return self.value("BOOL", i=given), None
        if isinstance(given, float) or kind.startswith("float"):
            return self.value("FLOAT", f=given), None
        return self.value("INT", i=given), None

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
            values = (self.types["rill_value"] * max(1, len(pairs)))(*[value for value, _ in pairs])
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
        number = self.constants["RILL_" + dtype.upper()]
        return self.run("rill_from_buffer", number, sizes, len(shape), buffer(*values))

    def randn(self, *shape):
        sizes = (ctypes.c_int64 * len(shape))(*shape)
        return self.run("rill_randn", self.constants["RILL_F32"], sizes, len(shape))


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
    for step in range(501):
        hidden = rill.tanh(rill.linear(points, weight=w1, bias=b1))
        scores = rill.linear(hidden, weight=w2, bias=b2)
        loss = rill.cross_entropy(scores, labels)
        if step % 100 == 0:
            right = rill.eq(rill.argmax(scores, dim=-1), labels).tolist()
            print(f"step {step:3d}  loss {loss.item():.4f}  accuracy {sum(right) / len(right):.3f}")
        loss.backward()
        before = rill.lib.rill_set_grad_mode(rill.ctx, rill.constants["RILL_GRAD_OFF"])
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
