#!/usr/bin/env python3
"""Tensors between rill and those of NumPy and PyTorch that are installed, by DLPack and both ways.

Each test knows what it expects from plain Python numbers or from the other library.
Usage: dlpack.py LIBRARY. The last line is in the manner of Check.
"""
import ctypes
import gc
import importlib
import importlib.util
import pathlib
import struct
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "ffi"))
from client import Error, Rill  # noqa: E402

LIBRARY = sys.argv[1]
rill = Rill(LIBRARY)
DTYPES = next({name[len("RILL_"):].lower(): number for name, number in enum["values"].items()}
              for enum in rill.api["enums"] if enum["name"] == "rill_dtype")


# ---- capsules -------------------------------------------------------------------------------------

NEW, USED, VERSIONED = b"dltensor", b"used_dltensor", b"dltensor_versioned"


class Managed(ctypes.Structure):
    """DLManagedTensor of dlpack.h 0.8."""
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
                ("byte_offset", ctypes.c_uint64), ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


def python_api(name, *types):
    return ctypes.PYFUNCTYPE(*types)((name, ctypes.pythonapi))


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
capsule_new = python_api("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p,
                         ctypes.c_void_p)
capsule_valid = python_api("PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
capsule_rename = python_api("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
capsule_pointer = python_api("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)

watchers = []  # a deleter may be called as long as the process lives


def watch(managed):
    """Puts a deleter in front of managed's own; returns the list that its calls are entered in."""
    header = Managed.from_address(managed)
    original, calls = Deleter(header.deleter), []

    def deleter(pointer):
        calls.append(pointer)
        if len(calls) == 1:
            original(pointer)

    watchers.append(Deleter(deleter))
    header.deleter = ctypes.cast(watchers[-1], ctypes.c_void_p).value
    return calls


class Export:
    """A rill tensor with the methods that array libraries look for. Keeps its capsule, and gives back what
    nobody took out of it: a destructor of the capsule in Python could not run while an error is raised."""

    def __init__(self, tensor):
        self.tensor, self.capsule, self.deleted = tensor, None, None

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, *, stream=None):
        owner = self.tensor.rill
        managed = owner.lib.rill_to_dlpack(owner.ctx, self.tensor.handle)
        owner.check()
        self.deleted = watch(managed)
        self.capsule = capsule_new(managed, NEW, None)
        return self.capsule

    def __del__(self):
        if self.capsule and capsule_valid(self.capsule, NEW):
            managed = capsule_pointer(self.capsule, NEW)
            Deleter(Managed.from_address(managed).deleter)(managed)


def receive(capsule, owner=rill):
    tensor = owner.run("rill_from_dlpack", capsule_pointer(capsule, NEW))
    capsule_rename(capsule, USED)
    return tensor


def take(array, owner=rill):
    """A rill tensor over the array's memory, and the calls of the array's deleter."""
    capsule = array.__dlpack__()
    deleted = watch(capsule_pointer(capsule, NEW))
    return receive(capsule, owner), deleted


# ---- values ---------------------------------------------------------------------------------------

CODES = {"f32": "f", "f64": "d", "f16": "e", "i32": "i", "i64": "q", "u8": "B", "bool": "?"}
REALS = [0.0, -0.5, 1.25, -3.0, 192.0, float("inf")]  # exact in every float dtype
SAMPLES = {
    "f32": REALS, "f64": REALS[:-1] + [1e-300], "f16": REALS, "bf16": REALS[:-1] + [2.0 ** 100],
    "i32": [0, 1, -1, 77, -2 ** 31, 2 ** 31 - 1], "i64": [0, 1, -1, 2 ** 53 + 1, -2 ** 63, 2 ** 63 - 1],
    "u8": [0, 1, 2, 127, 128, 255], "bool": [True, False, True, True, False, False],
}


def pack(dtype, values):
    if dtype == "bf16":  # the upper halves of f32
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    return struct.pack(f"<{len(values)}{CODES[dtype]}", *values)


def unpack(dtype, data):
    if dtype == "bf16":
        return [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0] for i in range(0, len(data), 2)]
    return list(struct.unpack(f"<{len(data) // struct.calcsize(CODES[dtype])}{CODES[dtype]}", data))


def make(dtype, values, shape, owner=rill):
    sizes = (ctypes.c_int64 * len(shape))(*shape)
    return owner.run("rill_from_buffer", DTYPES[dtype], sizes, len(shape), pack(dtype, values))


def address(tensor):
    return tensor.rill.lib.rill_tensor_data(tensor.handle)


def dtype_of(tensor):
    number = tensor.rill.lib.rill_tensor_dtype(tensor.handle)
    return next(name for name in DTYPES if DTYPES[name] == number)


def values(tensor):
    """The elements in row-major order, not converted on the way."""
    lib, dtype = tensor.rill.lib, dtype_of(tensor)
    size = lib.rill_tensor_numel(tensor.handle) * lib.rill_dtype_size(DTYPES[dtype])
    out = ctypes.create_string_buffer(size + 1)
    tensor.rill.run("rill_tensor_copy_out", tensor.handle, DTYPES[dtype], out, size)
    return unpack(dtype, out.raw[:size])


def bytes_held():
    stats = (ctypes.c_size_t * 6)(48)  # a rill_memory_stats: struct_size, current...
    rill.run("rill_memory_get_stats", stats)
    return stats[1]


# A view of a [2,3,4] as each side makes it.
LAYOUTS = {
    "whole": (lambda t: t, lambda peer, a: a),
    "transposed": (lambda t: rill.transpose(t, 0, 2), lambda peer, a: a.swapaxes(0, 2)),
    "permuted": (lambda t: rill.permute(t, [2, 0, 1]),
                 lambda peer, a: a.swapaxes(1, 2).swapaxes(0, 1)),
    "a part": (lambda t: rill.slice(t, 1, 1, 3), lambda peer, a: a[:, 1:3]),
    "every second": (lambda t: rill.slice(t, 2, 1, None, 2), lambda peer, a: a[:, :, 1::2]),
    "selected": (lambda t: rill.select(t, 1, 2), lambda peer, a: a[:, 2]),
    "of size one": (lambda t: rill.slice(t, 1, 2), lambda peer, a: a[:, 2:]),
    "stretched": (lambda t: rill.expand(rill.slice(t, 0, 0, 1), [5, 3, 4]),
                  lambda peer, a: peer.stretched(a)),
    "without dims": (lambda t: rill.select(rill.select(rill.select(t, 0, 1), 0, 2), 0, 3),
                     lambda peer, a: a[1, 2, 3, ...]),
    "empty": (lambda t: rill.slice(t, 1, 3, 3), lambda peer, a: a[:, 3:3]),
}


# ---- what holds for both libraries ----------------------------------------------------------------

class Case(unittest.TestCase):
    """Each test gives back all of rill's memory."""

    def setUp(self):
        gc.collect()
        self.held = bytes_held()

    def tearDown(self):
        gc.collect()
        self.assertEqual(bytes_held(), self.held, "bytes of rill's memory")


class Exchange:
    """Tests for a subclass that names `lib`, its dtypes by rill's names, and its own ways."""

    def more_layouts(self, array):
        return []

    def more_matrices(self, rows):
        return []

    def array(self, dtype, numbers, shape):
        return self.lib.asarray(numbers, dtype=getattr(self.lib, self.dtypes[dtype])).reshape(shape)

    def counting(self):
        """0 to 23 in a [2,3,4], on both sides."""
        return (make("f32", range(24), [2, 3, 4]), self.array("f32", list(range(24)), [2, 3, 4]))

    def flat(self, array):
        return array.reshape(-1).tolist()

    def check_refused(self, sentence, array, **fields):
        """rill says why it refuses the array, some fields of its header changed, and takes nothing over."""
        capsule = array.__dlpack__()
        managed = capsule_pointer(capsule, NEW)
        for field, value in fields.items():
            setattr(Managed.from_address(managed), field, value)
        deleted = watch(managed)
        with self.assertRaisesRegex(Error, "^from_dlpack: " + sentence):
            receive(capsule)
        self.assertEqual(deleted, [])
        del capsule
        self.assertEqual(len(deleted), 1)

    # from rill

    def test_rill_hands_out_every_dtype(self):
        for dtype in self.dtypes:
            with self.subTest(dtype):
                tensor = make(dtype, SAMPLES[dtype], [2, 3])
                array = self.lib.from_dlpack(Export(tensor))
                self.assertEqual(array.dtype, getattr(self.lib, self.dtypes[dtype]))
                self.assertEqual(tuple(array.shape), (2, 3))
                self.assertEqual(self.flat(array), SAMPLES[dtype])
                self.assertEqual(self.address(array), address(tensor))

    def test_rill_hands_out_every_layout(self):
        tensor, array = self.counting()
        for name, (ours, theirs) in LAYOUTS.items():
            with self.subTest(name):
                view, expected = ours(tensor), theirs(self, array)
                got = self.lib.from_dlpack(Export(view))
                self.assertEqual(tuple(got.shape), tuple(expected.shape))
                self.assertEqual(self.flat(got), self.flat(expected))
                if self.flat(expected):
                    self.assertEqual(self.address(got) - address(tensor),
                                     self.address(expected) - self.address(array))

    def test_they_see_what_rill_writes(self):
        tensor, _ = self.counting()
        array = self.lib.from_dlpack(Export(rill.transpose(tensor, 0, 2)))
        rill.run("rill_fill_", rill.select(tensor, 0, 1).handle, -5.0)
        self.assertEqual(array[3, 2].tolist(), [11.0, -5.0])

    def test_rills_memory_outlives_tensor_and_context(self):
        other = Rill(LIBRARY)
        export = Export(make("f64", [1, 2, 3, 4], [4], other))
        array = self.lib.from_dlpack(export)
        deleted = export.deleted
        del export
        other.close()
        part = array[1:]
        del array
        gc.collect()
        self.assertEqual(deleted, [])
        self.assertEqual(part.tolist(), [2.0, 3.0, 4.0])
        del part
        gc.collect()
        self.assertEqual(len(deleted), 1)

    def test_what_another_thread_drops_is_freed_once(self):
        for _ in range(50):
            export = Export(make("f32", range(1000), [1000]))
            arrays = [self.lib.from_dlpack(export)]
            thread = threading.Thread(target=arrays.clear)
            thread.start()
            sums = [rill.sum(export.tensor).item() for _ in range(3)]
            thread.join()
            self.assertEqual(sums, [499500.0] * 3)
            self.assertEqual(len(export.deleted), 1)

    def test_an_export_that_nobody_takes_is_freed_once(self):
        export = Export(make("f32", [1], [1]))
        export.__dlpack__()
        deleted = export.deleted
        self.assertEqual(deleted, [])
        del export
        self.assertEqual(len(deleted), 1)

    def test_rill_refuses_to_hand_out_what_requires_a_gradient(self):
        leaf = make("f32", [1, 2], [2]).requires_grad()
        for tensor in leaf, rill.mul(leaf, leaf):
            with self.assertRaisesRegex(Error, "to_dlpack: .* requires a gradient: .* detached"):
                self.lib.from_dlpack(Export(tensor))
        array = self.lib.from_dlpack(Export(rill.run("rill_detach", leaf.handle)))
        self.assertEqual(self.address(array), address(leaf))

    # to rill

    def test_rill_takes_every_dtype(self):
        for dtype in self.dtypes:
            with self.subTest(dtype):
                array = self.array(dtype, SAMPLES[dtype], [3, 2])
                tensor, _ = take(array)
                self.assertEqual(dtype_of(tensor), dtype)
                self.assertEqual(tensor.shape, [3, 2])
                self.assertEqual(values(tensor), SAMPLES[dtype])
                self.assertEqual(address(tensor), self.address(array))

    def test_rill_takes_every_layout_and_computes_with_it(self):
        _, array = self.counting()
        layouts = [(name, theirs(self, array)) for name, (_, theirs) in LAYOUTS.items()]
        for name, theirs in layouts + self.more_layouts(array):
            with self.subTest(name):
                tensor, _ = take(theirs)
                numbers = self.flat(theirs)
                self.assertEqual(tensor.shape, list(theirs.shape))
                self.assertEqual(values(tensor), numbers)
                self.assertEqual(rill.sum(tensor).item(), sum(numbers))
                self.assertEqual(values(rill.mul(tensor, tensor)), [n * n for n in numbers])
                self.assertEqual(address(tensor), self.address(theirs) if numbers else None)

    def test_products_of_what_is_strided(self):
        rows = self.array("f64", list(range(12)), [3, 4])
        for name, theirs in [("rows", rows), ("columns", rows.T)] + self.more_matrices(rows):
            with self.subTest(name):
                tensor, _ = take(theirs)
                lines = theirs.tolist()
                expected = [sum(a * b for a, b in zip(x, y)) for x in lines for y in lines]
                self.assertEqual(values(rill.matmul(tensor, rill.transpose(tensor, 0, 1))), expected)

    def test_both_sides_write_into_their_memory(self):
        array = self.array("i32", list(range(6)), [2, 3])
        tensor, _ = take(array.T)
        array[0, 1] = 70
        self.assertEqual(values(tensor), [0, 3, 70, 4, 2, 5])
        rill.run("rill_fill_", rill.select(tensor, 0, 2).handle, -9.0)
        self.assertEqual(array.tolist(), [[0, 70, -9], [3, 4, -9]])

    def test_their_memory_lives_as_long_as_a_view_of_it(self):
        array = self.array("f32", [1, 2, 3, 4], [4])
        tensor, deleted = take(array)
        del array
        view = rill.slice(tensor, 0, 2)
        del tensor
        gc.collect()
        self.assertEqual(deleted, [])
        self.assertEqual(values(view), [3.0, 4.0])
        del view
        self.assertEqual(len(deleted), 1)

    def test_their_memory_outlives_rills_context(self):
        other = Rill(LIBRARY)
        tensor, deleted = take(self.array("f32", [1, 2, 3], [3]), other)
        other.close()
        self.assertEqual(deleted, [])
        self.assertEqual(ctypes.string_at(address(tensor), 12), pack("f32", [1, 2, 3]))
        del tensor
        self.assertEqual(len(deleted), 1)

    def test_rill_refuses_dtypes_that_it_lacks(self):
        for name in self.unknown_dtypes:
            with self.subTest(name):
                array = self.lib.zeros(2, dtype=getattr(self.lib, name))
                self.check_refused(r"no dtype here is DLPack's code \d+ with \d+ bits and 1 lanes", array)
        self.check_refused("no dtype .* with 32 bits and 4 lanes", self.array("f32", [1, 2], [2]), lanes=4)

    def test_rill_refuses_more_dims_than_it_has(self):
        self.check_refused("9 dims: there may be 0 to 8", self.array("f32", [1], [1] * 9))

    def test_rill_refuses_other_devices(self):
        sentence = "the data lies on a device of type 2, not on the CPU"
        self.check_refused(sentence, self.array("f32", [1], [1]), device_type=2)

    def test_rill_refuses_versioned_tensors(self):
        try:
            capsule = self.array("f32", [1], [1]).__dlpack__(max_version=(1, 0))
        except TypeError:
            self.skipTest("knows no versions")
        with self.assertRaisesRegex(Error, "from_dlpack: .*DLManagedTensorVersioned"):
            rill.run("rill_from_dlpack", capsule_pointer(capsule, VERSIONED))

    # there and back

    def test_memory_goes_there_and_back(self):
        array = self.array("f64", list(range(6)), [2, 3])
        tensor, taken = take(array.T)
        export = Export(tensor)
        back = self.lib.from_dlpack(export)
        given = export.deleted
        array[1, 0] = 33
        del array, tensor, export
        gc.collect()
        self.assertEqual((taken, given), ([], []))
        self.assertEqual(back.tolist(), [[0.0, 33.0], [1.0, 4.0], [2.0, 5.0]])
        del back
        gc.collect()
        self.assertEqual((len(taken), len(given)), (1, 1))

    def test_gradients_of_their_numbers(self):
        weights = self.array("f64", [1, -2, 3], [3])
        leaf = take(weights)[0].requires_grad()
        rill.sum(rill.mul(leaf, leaf)).backward()
        self.assertEqual(self.lib.from_dlpack(Export(leaf.grad)).tolist(), [2.0, -4.0, 6.0])

    def test_what_they_write_counts_once_rill_is_told(self):
        data = self.array("f64", [1, 2], [2])
        tensor, leaf = take(data)[0], make("f64", [3, 4], [2]).requires_grad()
        loss = rill.sum(rill.mul(tensor, leaf))
        data[0] = 50
        rill.lib.rill_tensor_touch(tensor.handle)
        with self.assertRaisesRegex(Error, "that backward needs was changed in place"):
            loss.backward()


# ---- NumPy ----------------------------------------------------------------------------------------

class NumPy(Exchange):
    dtypes = {"f32": "float32", "f64": "float64", "f16": "float16", "i32": "int32", "i64": "int64",
              "u8": "uint8", "bool": "bool_"}
    unknown_dtypes = ["int8", "int16", "uint16", "uint32", "uint64", "complex64", "complex128"]

    def address(self, array):
        return array.__array_interface__["data"][0]

    def stretched(self, array):
        strides = (0,) + array.strides[1:]
        return self.lib.lib.stride_tricks.as_strided(array, (5,) + array.shape[1:], strides)

    def more_layouts(self, array):
        records = self.lib.array([(1.5, 7), (2.5, 8)], dtype=[("number", "f4"), ("other", "i4")])
        return [("reversed", array[::-1, :, ::-1]), ("reversed, every second", array[:, ::-2, ::-2]),
                ("one field of a record", records["number"])]

    def more_matrices(self, rows):
        return [("reversed rows", rows[::-1]), ("reversed columns", rows[:, ::-1].T)]

    def test_numpy_may_only_read_what_comes_without_version(self):
        array = self.lib.from_dlpack(Export(make("f32", [1, 2], [2])))
        with self.assertRaisesRegex(ValueError, "read-only"):
            array[0] = 5

    def test_numpy_knows_no_bf16(self):
        export = Export(make("bf16", [1, 2], [2]))
        with self.assertRaises((BufferError, RuntimeError)):
            self.lib.from_dlpack(export)
        self.assertEqual(export.deleted, [])

    def test_numpy_keeps_what_is_read_only(self):
        array = self.array("f32", [1, 2], [2])
        array.flags.writeable = False
        with self.assertRaisesRegex(BufferError, "readonly"):
            take(array)
        capsule = array.__dlpack__(max_version=(1, 0))
        with self.assertRaisesRegex(Error, "from_dlpack: .*DLManagedTensorVersioned"):
            rill.run("rill_from_dlpack", capsule_pointer(capsule, VERSIONED))

    def test_rill_refuses_what_is_not_aligned(self):
        memory = bytearray(17)
        aside = self.lib.ndarray((2,), "f8", memory, 1)
        self.check_refused("data is .*not aligned to the 8 bytes of f64", aside)
        self.assertEqual(take(aside[:0])[0].shape, [0])

    def test_what_is_reversed_comes_back_reversed(self):
        tensor, _ = take(self.array("f32", [1, 2, 3], [3])[::-1])
        self.assertEqual(self.lib.from_dlpack(Export(tensor)).tolist(), [3.0, 2.0, 1.0])


# ---- PyTorch --------------------------------------------------------------------------------------

class PyTorch(Exchange):
    dtypes = {**NumPy.dtypes, "bf16": "bfloat16", "bool": "bool"}
    unknown_dtypes = ["int8", "int16", "complex64", "complex128"]

    def address(self, array):
        return array.data_ptr()

    def stretched(self, array):
        return array[:1].expand(5, 3, 4)

    def more_layouts(self, array):
        return [("the imaginary part", self.lib.complex(array[0], array[1]).imag)]

    def test_rill_sees_what_pytorch_writes(self):
        tensor, _ = self.counting()
        array = self.lib.from_dlpack(Export(rill.slice(tensor, 2, 1, None, 2)))
        array[1, 2] = self.lib.tensor([-1.0, -2.0])
        array[:, :2] += 0.5
        numbers = values(tensor)
        self.assertEqual(numbers[20:], [20.0, -1.0, 22.0, -2.0])
        self.assertEqual(numbers[:4], [0.0, 1.5, 2.0, 3.5])

    def test_pytorch_keeps_what_requires_a_gradient(self):
        weights = self.lib.nn.Parameter(self.lib.ones(3))
        with self.assertRaisesRegex((BufferError, RuntimeError), "require gradient"):
            take(weights)
        tensor, _ = take(weights.detach())
        rill.run("rill_fill_", tensor.handle, 0.25)
        self.assertEqual(weights.tolist(), [0.25] * 3)

    def test_pytorch_learns_from_rills_memory(self):
        array = self.lib.from_dlpack(Export(make("f64", [1, 2], [2]))).requires_grad_()
        (array * array).sum().backward()
        self.assertEqual(take(array.grad)[0].tolist(), [2.0, 4.0])


# ---- from one to the other ------------------------------------------------------------------------

class NumPyToPyTorch(Case):
    def test_what_numpy_writes_reaches_pytorch(self):
        array = NumPy.lib.zeros((2, 3))
        tensor = PyTorch.lib.from_dlpack(Export(take(array.T)[0]))
        array[1, 2] = 7
        self.assertEqual(tensor.tolist(), [[0, 0], [0, 0], [0, 7]])

    def test_pytorch_takes_what_is_reversed_once_it_is_contiguous(self):
        reverse = take(NumPy.lib.asarray([1.0, 2.0, 3.0])[::-1])[0]
        tensor = PyTorch.lib.from_dlpack(Export(rill.contiguous(reverse)))
        self.assertEqual(tensor.tolist(), [3.0, 2.0, 1.0])


# ---- the run --------------------------------------------------------------------------------------

def installed(name, peer, oldest):
    """Loads the library, where there is one that exchanges all dtypes."""
    if importlib.util.find_spec(name):
        peer.lib = importlib.import_module(name)
        version = peer.lib.__version__
        print(f"dlpack: {peer.__name__} {version}")
        if [int(part) for part in version.split(".")[:2]] >= oldest:
            return True
    print(f"dlpack: {peer.__name__} left out, which is not here or too old")
    return False


def main():
    cases = []
    if installed("numpy", NumPy, [2, 1]):
        cases.append(type("WithNumPy", (NumPy, Case), {}))
    if installed("torch", PyTorch, [2, 2]):
        cases.append(type("WithPyTorch", (PyTorch, Case), {}))
    if len(cases) == 2:
        cases.append(NumPyToPyTorch)
    gc.freeze()  # what was loaded is not looked through again and again
    Export(make("f32", [1], [1])).__dlpack__()  # the context's lists grow with the first use
    suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
    result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    checks, failures, errors = max(1, result.testsRun), len(result.failures), len(result.errors)
    good = max(0, checks - failures - errors)
    print(f"{good * 100 // checks}%: Checks: {checks}, Failures: {failures}, Errors: {errors}")
    sys.exit(not result.wasSuccessful())


main()
