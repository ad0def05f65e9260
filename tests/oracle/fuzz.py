#!/usr/bin/env python3
"""Random calls beside PyTorch: ops, shapes, dims and memory layouts drawn anew, in float64.

    python3 tests/oracle/fuzz.py LIBRARY [COUNT [SEED]]

Every call goes to rill by name and to PyTorch; values and gradients must agree, and what one of the
two refuses the other must refuse. Each input is laid out in memory in a random order of its dims.
A disagreement is printed with its shapes and arguments; the seed repeats it.
"""
import ctypes
import pathlib
import random
import sys

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples" / "ffi"), str(ROOT / "tests" / "golden")]
import sliding  # noqa: E402
from client import Error, Rill  # noqa: E402

try:
    from scipy import ndimage
except ImportError:
    ndimage = None

SIZES = (1, 2, 3, 4, 5, 7, 17, 33)


# ---- drawing --------------------------------------------------------------------------------------


def shape(low, high, empty=True):
    sizes = [random.choice(SIZES[:-1]) for _ in range(random.randint(low, high))]
    if empty and sizes and random.random() < 0.1:
        sizes[random.randrange(len(sizes))] = 0
    return sizes


def randn(sizes):
    return torch.randn(sizes, dtype=torch.float64)


def broadcasting(count):
    """Shapes that broadcast together."""
    full = shape(0, 4)
    cut = [full[random.randint(0, len(full)):] for _ in range(count)]
    return [[1 if random.random() < 0.25 else size for size in sizes] for sizes in cut]


def a_dim(x):
    return random.randrange(-x.ndim, x.ndim)


# Each returns the op's name, its arguments, keywords that are no tensors, and PyTorch's function of
# the tensors among the arguments.


def unary():
    name = random.choice("neg abs exp expm1 tanh sigmoid erf relu gelu silu square sin cos".split())
    function = getattr(torch, name, None) or getattr(F, name)
    return name, [randn(shape(0, 4))], {}, function


def binary():
    name = random.choice("add sub mul div maximum minimum pow".split())
    a, b = map(randn, broadcasting(2))
    return name, [a.abs() + 0.5 if name == "pow" else a, b], {}, getattr(torch, name)


def where():
    mask, a, b = broadcasting(3)
    return "where", [randn(mask) > 0, randn(a), randn(b)], {}, torch.where


def reduction():
    name = random.choice("sum mean var max min logsumexp norm".split())
    x, keepdim = randn(shape(1, 5, empty=name == "sum")), random.random() < 0.5
    dims = sorted(random.sample(range(x.ndim), random.randint(1, x.ndim)))
    if name == "var" and all(x.shape[d] == 1 for d in dims):
        name = "mean"
    function = {"max": torch.amax, "min": torch.amin, "norm": torch.linalg.vector_norm}.get(name)
    function = function or getattr(torch, name)
    return name, [x], {"dim": dims, "keepdim": keepdim}, lambda x: function(x, dim=dims, keepdim=keepdim)


def along():
    name, x = random.choice("cumsum softmax log_softmax".split()), randn(shape(1, 4, empty=False))
    dim = a_dim(x)
    return name, [x], {"dim": dim}, lambda x: getattr(torch, name)(x, dim=dim)


def matmul():
    m, k, n = (random.choice((0,) + SIZES if random.random() < 0.1 else SIZES) for _ in range(3))
    left, right = broadcasting(2) if random.random() < 0.5 else ([], [])
    a = [k] if random.random() < 0.15 else left + [m, k]
    b = [k] if random.random() < 0.15 else right + [k, n]
    return "matmul", [randn(a), randn(b)], {}, torch.matmul


def linear():
    inputs, outputs = random.randint(1, 40), random.randint(1, 40)
    args = [randn(shape(0, 3) + [inputs]), randn([outputs, inputs]), randn([outputs])]
    return "linear", args[: random.randint(2, 3)], {}, F.linear


def einsum():
    text = random.choice(
        "ij,jk->ik bij,bjk->bik ij,ij->ij bi,bj->bij ij->ji ij->i bhid,bhjd->bhij i,i-> bij->b".split())
    sizes = {letter: random.randint(1, 6) for letter in text}
    args = [randn([sizes[x] for x in term]) for term in text.split("->")[0].split(",")]
    return "einsum", [text, args], {}, lambda *tensors: torch.einsum(text, *tensors)


def norm():
    cols = random.randint(1, 70)
    x, weight, bias = randn(shape(1, 3, empty=False) + [cols]), randn([cols]), randn([cols])
    if random.random() < 0.5:
        return "rms_norm", [x, weight], {"eps": 1e-6}, lambda x, w: F.rms_norm(x, [cols], w, 1e-6)
    return "layer_norm", [x, weight, bias], {"eps": 1e-5}, lambda x, w, b: F.layer_norm(x, [cols], w, b, 1e-5)


def cross_entropy():
    rows, classes, smoothing = random.randint(1, 9), random.randint(1, 20), random.choice((0.0, 0.1))
    args = [randn([rows, classes]), torch.randint(0, classes, (rows,))]
    return "cross_entropy", args, {"label_smoothing": smoothing}, lambda x, t: F.cross_entropy(
        x, t, label_smoothing=smoothing)


def cat():
    sizes = shape(1, 4)
    dim, parts = random.randrange(len(sizes)), random.randint(1, 4)
    args = [randn(sizes[:dim] + [random.randint(0, 4)] + sizes[dim + 1:]) for _ in range(parts)]
    return "cat", [args], {"dim": dim}, lambda *tensors: torch.cat(tensors, dim)


def view():
    x = randn(shape(2, 4, empty=False))
    d, name = random.randrange(x.ndim), random.choice("transpose slice flatten unsqueeze unfold".split())
    if name == "transpose":
        return name, [x], {"dim0": d, "dim1": 0}, lambda x: x.transpose(d, 0)
    if name == "flatten":
        return name, [x], {"start_dim": 0, "end_dim": d}, lambda x: x.flatten(0, d)
    if name == "unsqueeze":
        return name, [x], {"dim": d}, lambda x: x.unsqueeze(d)
    size, step = random.randint(1, x.shape[d]), random.randint(1, 3)
    if name == "unfold":
        return name, [x], {"dim": d, "size": size, "step": step}, lambda x: x.unfold(d, size, step)
    start, end = random.randint(-size - 1, size), random.randint(-size, size + 2)
    index = (slice(None),) * d + (slice(start, end, step),)
    return name, [x], {"dim": d, "start": start, "end": end, "step": step}, lambda x: x[index]


def arrange():
    x, name = randn(shape(2, 4)), random.choice("flip roll tril triu".split())
    d, n = random.randrange(x.ndim), random.randint(-9, 9)
    if name == "flip":
        return name, [x], {"dims": [d]}, lambda x: x.flip([d])
    if name == "roll":
        return name, [x], {"shift": n, "dim": d}, lambda x: x.roll(n, d)
    return name, [x], {"diagonal": n}, lambda x: getattr(torch, name)(x, n)


def index():
    x, name = randn(shape(1, 3, empty=False)), random.choice("index_select gather embedding".split())
    d = random.randrange(x.ndim)
    if name == "embedding":
        rows = torch.randint(0, 5, shape(0, 3))
        return name, [rows, randn([5, random.randint(1, 20)])], {}, F.embedding
    if name == "gather":
        sizes = [random.randint(1, size) for size in x.shape]
        sizes[d] = random.randint(1, 6)
        where = torch.randint(0, x.shape[d], sizes)
        return name, [x, d, where], {}, lambda x, where: torch.gather(x, d, where)
    where = torch.randint(0, x.shape[d], (random.randint(0, 6),))
    return name, [x, d, where], {}, lambda x, where: x.index_select(d, where)


def attention():
    batch, queries, keys = random.randint(1, 2), random.choice((1, 3, 20, 70)), random.choice((1, 5, 33, 80))
    kv_heads, group, width = random.randint(1, 2), random.randint(1, 2), random.choice((4, 8, 16))
    args = [randn([batch, queries, kv_heads * group, width])]
    args += [randn([batch, keys, kv_heads, width]) for _ in range(2)]
    if random.random() < 0.5:
        sizes = [size if random.random() < 0.6 else 1 for size in (batch, kv_heads * group, queries, keys)]
        args.append(randn(sizes[random.randint(0, 4):]))

    def function(q, k, v, mask=None):
        k, v = (t.repeat_interleave(group, 2) for t in (k, v))
        return F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), mask).transpose(1, 2)

    return "attention", args, {}, function


def causal_conv1d():
    batch, steps, channels, width = random.randint(1, 3), random.choice((1, 2, 40)), random.choice((1, 5, 33)), 4
    args = [randn([batch, steps, channels]), randn([channels, width]), randn([channels])]
    return "causal_conv1d", args, {}, lambda x, w, b: F.conv1d(
        F.pad(x.transpose(1, 2), (width - 1, 0)), w.unsqueeze(1), b, groups=channels).transpose(1, 2)


def window():
    """Half of the samples are often the same, so that ties matter."""
    x, n = randn(shape(1, 3)), random.choice((0, 1, 3, 8, 40, 300))
    x = torch.cat([x, randn(list(x.shape[:-1]) + [n])], -1) if x.ndim else x
    if random.random() < 0.5:
        x = (2 * x).round()
    name = random.choice("window_max window_max window_min".split())
    dims = random.sample(range(x.ndim), random.randint(1, x.ndim))
    options = {"window": random.choice((1, 2, 3, 5, 17, 64)[:6 if len(dims) == 1 else 4]), "dim": dims, "stride": random.choice((1, 1, 2, 5)),
               "dilation": random.choice((1, 1, 3)), "mode": random.randrange(4), "edge": random.randrange(6),
               "pad": random.choice((0.0, -1.5, 9.0)), "nan": 0, "last": random.random() < 0.3}
    return name, [x], options, lambda x: getattr(sliding, name)(x, **options) + 0 * x.sum()


def window_sum():
    """Sums and means over any dims, quantiles along one."""
    x = randn(shape(1, 3, empty=False) + [random.choice((1, 3, 8, 40, 300, 700))])
    name = random.choice("window_sum window_mean window_quantile".split())
    dims = random.sample(range(x.ndim), 1 if name == "window_quantile" else random.randint(1, x.ndim))
    options = {"window": random.choice((1, 2, 3, 5, 17, 64)[:6 if len(dims) == 1 else 4]), "dim": dims, "stride": random.choice((1, 1, 2, 5)),
               "dilation": random.choice((1, 1, 3)), "mode": random.randrange(1, 4), "edge": random.randrange(6),
               "pad": random.choice((0.0, -1.5, 9.0)), "nan": 0}
    if name == "window_quantile":
        options.update(q=random.choice((0.0, 0.25, 0.5, 0.9, 1.0)), method=random.randrange(5))
        options["edge"] = min(options["edge"], 1)  # of a sample and its repetition either may have the gradient
        options["dilation"] = 1  # every window sees something
    if name == "window_mean" and options["edge"] == 0:
        options["dilation"] = 1
    return name, [x], options, lambda x: getattr(sliding, name)(x, **options) + 0 * x.sum()


def window_of_scipy():
    """scipy.ndimage's filters, whose names the edges have."""
    x, name = randn([random.choice((1, 2, 9, 50))]), random.choice("max min".split())
    window, edge = random.choice((1, 2, 3, 4, 7, 60)), random.randrange(1, 6)
    mode = " constant nearest reflect mirror wrap".split(" ")[edge]
    filtered = getattr(ndimage, f"{name}imum_filter1d")(x.numpy(), window, mode=mode, cval=0.25)
    options = {"window": window, "dim": [0], "stride": 1, "dilation": 1, "mode": 1, "edge": edge, "pad": 0.25}

    def function(x):
        """SciPy's value, with the gradient of pooling."""
        y = getattr(sliding, f"window_{name}")(x, **options)
        return y + (torch.from_numpy(filtered) - y.detach())

    return f"window_{name}", [x], options, function


DRAWN = (unary, binary, binary, where, reduction, reduction, along, matmul, matmul, matmul, linear, einsum, norm,
         cross_entropy, cat, view, arrange, index, attention, causal_conv1d, window,
         window_sum, *([window_of_scipy] if ndimage else []))


# ---- comparing ------------------------------------------------------------------------------------


class Fuzz:
    def __init__(self, library):
        self.rill = Rill(library)
        self.dtypes = {getattr(torch, name): self.rill.constants[f"RILL_{number}"] for name, number in (
            ("float64", "F64"), ("int64", "I64"), ("bool", "BOOL"))}
        self.dtype_of = {number: dtype for dtype, number in self.dtypes.items()}

    def to_rill(self, t):
        """The same elements, their dims in memory in a random order; a leaf where it is real."""
        order = random.sample(range(t.ndim), t.ndim)
        stored = t.permute(order).contiguous()
        sizes = (ctypes.c_int64 * max(1, t.ndim))(*stored.shape)
        x = self.rill.run("rill_from_buffer", self.dtypes[t.dtype], sizes, t.ndim, stored.data_ptr() or None)
        if t.ndim:
            x = self.rill.permute(x, dims=[order.index(d) for d in range(t.ndim)])
        return x.requires_grad() if t.dtype == torch.float64 else x

    def to_torch(self, x):
        dtype = self.rill.lib.rill_tensor_dtype(x.handle)
        out = torch.empty(x.shape, dtype=self.dtype_of[dtype])
        self.rill.run("rill_tensor_copy_out", x.handle, dtype, out.data_ptr(), out.numel() * out.element_size())
        return out

    def close(self, x, expected):
        ours = self.to_torch(x) if x else torch.zeros_like(expected)
        return ours.shape == expected.shape and torch.allclose(ours, expected, 1e-8, 1e-10, equal_nan=True)

    def compare(self, name, args, keywords, function):
        """What differs, or None."""
        pairs = []

        def convert(value):
            if isinstance(value, list):
                return [convert(v) for v in value]
            if not isinstance(value, torch.Tensor):
                return value
            value = value.detach().requires_grad_(value.dtype == torch.float64)
            pairs.append((value, self.to_rill(value)))
            return pairs[-1][1]

        given = [convert(a) for a in args]
        try:
            expected, refused = function(*(t for t, _ in pairs)), None
        except (RuntimeError, IndexError) as error:
            expected, refused = None, error
        try:
            result = getattr(self.rill, name)(*given, **keywords)
        except Error as error:
            return None if refused else f"rill refuses: {error}"
        if refused:
            return f"PyTorch refuses: {refused}"
        if not self.close(result, expected.detach()):
            return "values differ"
        return self.compare_gradients(pairs, result, expected)

    def compare_gradients(self, pairs, result, expected):
        seed = torch.randn_like(expected)
        leaves = [(t, x) for t, x in pairs if t.requires_grad]
        gradients = torch.autograd.grad(expected, [t for t, _ in leaves], seed, allow_unused=True)
        ours = self.to_rill(seed)  # a handle alone keeps nothing alive
        self.rill.run("rill_backward", result.handle, ours.handle, False)
        for i, ((t, x), gradient) in enumerate(zip(leaves, gradients)):
            if not self.close(x.grad, torch.zeros_like(t) if gradient is None else gradient):
                return f"gradients of tensor {i} differ"
        return None


def described(value):
    if isinstance(value, list):
        return [described(v) for v in value]
    return f"{str(value.dtype)[6:]}{list(value.shape)}" if isinstance(value, torch.Tensor) else value


def main():
    library, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    fuzz, failed = Fuzz(library), 0
    for _ in range(count):
        name, args, keywords, function = random.choice(DRAWN)()
        difference = fuzz.compare(name, args, keywords, function)
        if difference:
            failed += 1
            print(f"{name}({described(args)}, {keywords}): {difference}")
    print(f"oracle: {count} random calls, seed {seed}: {failed} differ")
    sys.exit(failed > 0)


main()
