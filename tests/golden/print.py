"""Writes print.h: what NumPy 2.4 prints for arrays of all kinds. Run: python3 print.py >print.h"""
import numpy as np

rng = np.random.default_rng(0)
cases = []  # dtype, shape, values or None for 0, 1, 2, ...


def add(dtype, values):
    cases.append((dtype, np.asarray(values, dtype)))


for dtype in ("float32", "float64", "float16"):
    add(dtype, 1.5)
    add(dtype, [0.1, 0.25, 1 / 3, 2])
    add(dtype, [[1, 2], [3, 4]])
    add(dtype, [1e-5, 1, 1000])
    add(dtype, [np.nan, np.inf, -np.inf, 1.25])
    add(dtype, [np.nan, -np.inf])
    add(dtype, [-0.0, 0.0])
    add(dtype, [0.00005, 0.0001, 0.00015])
    add(dtype, rng.normal(size=(2, 3, 4)))
    add(dtype, rng.normal(size=(3, 11)) * 100)
    add(dtype, [999, 1000.5, 1])
    add(dtype, [[1e-7, -65504], [123.456, np.nan]])
add("float64", [1e300, 1e-300, -1e5])
add("float64", [99999999.5, 1e8 - 1, 1e5])
add("float64", [1e8, 1e8])
add("float32", [1e6, 1e6])
add("float64", 0.12335)
add("float64", 0.12345)
add("float64", [0.12335, 0.12345, 0.00625, 0.03125])
add("int32", [[1, -20, 300], [4, 5, 6]])
add("int64", [-(2**63), 2**63 - 1])
add("uint8", np.arange(40))
add("bool", [[True, False], [False, False]])
add("bool", True)
add("bool", False)
add("int64", 7)
add("float32", np.zeros((0,)))
add("float32", np.zeros((3, 0, 2)))
large = [("float32", (1001,)), ("int64", (2000,)), ("float64", (40, 50)), ("int32", (10, 11, 12)),
         ("float64", (2, 7, 4, 20)), ("float32", (750,)), ("float32", (1, 1500)), ("uint8", (4, 300))]
names = {"float32": "F32", "float64": "F64", "float16": "F16", "int32": "I32", "int64": "I64",
         "uint8": "U8", "bool": "BOOL"}


def number(x):
    x = float(x)
    return "NAN" if np.isnan(x) else ("-" if x < 0 else "") + "INFINITY" if np.isinf(x) else repr(x)


def emit(dtype, shape, values, array):
    text = np.array2string(array, precision=4).split("\n")
    lines = '\\n"\n     "'.join(text)
    dims = ", ".join(map(str, shape)) or "0"
    print(f'    {{RILL_{names[dtype]}, {len(shape)}, {{{dims}}}, {values},\n     "{lines}"}},')


print("/* Made by print.py with NumPy", np.__version__ + ". */")
print("static const struct {\n  rill_dtype dtype;\n  int ndim;\n  int64_t shape[4];")
print("  const double *values; /* NULL: 0, 1, 2, ... */\n  const char *text;\n} print_cases[] = {")
for dtype, a in cases:
    if dtype == "int64" and a.ndim and a.min() < 0:  # the ends of the range: the text alone says it
        emit(dtype, a.shape, "(double[]){-0x1p63, 0x1p63}", a)
        continue
    values = ", ".join(number(x) for x in a.ravel()) or "0"
    emit(dtype, a.shape, f"(double[]){{{values}}}", a)
for dtype, shape in large:
    emit(dtype, shape, "NULL", np.arange(np.prod(shape)).astype(dtype).reshape(shape))
print("};")
