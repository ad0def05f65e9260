"""The cases of sliding windows: beside memcpy, the windows of other libraries, and a monotonic deque."""
from harness import Case, Peer, Rill, take_turns

SIZES = {"1m": 1 << 20, "16m": 1 << 24}
LENGTHS = (2, 3, 4, 5, 7, 8, 16, 17, 31, 64, 65, 101, 128, 129, 256, 257, 1001, 4097, 10001, 65536, 100000)


class At:
    """A process of bench.c's at one length of the window; several share it."""

    def __init__(self, process, window):
        self.process, self.window = process, window

    def run(self, steps):
        self.process.ask(f"window {self.window}")
        return self.process.run(steps)


# ---- one row of samples ---------------------------------------------------------------------------


class AnyLength(Case):
    """The slowest of many lengths, beside memcpy of the same array, and beside the fastest."""

    def __init__(self, n, memcpy_goal):
        import torch

        super().__init__({"x": torch.randn(n), "window": torch.tensor([2])}, [], per=n, unit="sample")
        self.memcpy_goal = memcpy_goal

    def measure(self, name, threads, rounds):
        processes = [Rill(program, threads, self.inputs) for program in ("window_max", "window_copy")]
        sides = {k: At(processes[0], k) for k in LENGTHS}
        try:
            took = take_turns({**sides, "memcpy": processes[1]}, rounds)
        finally:
            for process in processes:
                process.close()
        slow, fast = (pick(LENGTHS, key=lambda k: took[k][0]) for pick in (max, min))
        return [
            self.row(name, threads, rounds, took[slow], took["memcpy"], f"memcpy (k = {slow})", self.memcpy_goal),
            self.row(name, threads, rounds, took[slow], took[fast], f"itself at k = {fast}", 0.33),
        ]


class BestOf(Case):
    """One row, for the fastest peer. Results are compared where all windows lie inside."""

    def __init__(self, x, window, peers, **facts):
        import torch

        super().__init__({"x": x, "window": torch.tensor([window])}, peers, 0, program="window_max", **facts)
        self.window = window

    def compare(self, ours, peer):
        inside = slice(self.window // 2, ours["y"].numel() - self.window // 2)
        return super().compare({"y": ours["y"][inside]}, peer)

    def measure(self, name, threads, rounds):
        rows = super().measure(name, threads, rounds)
        best = min(rows, key=lambda row: row["peer_median"])
        return [{**best, "peer": f"{best['peer']} (best of {len(rows)})"}]


def steps_of(x, k):
    """All peers: {name: a function of no arguments}. OpenCV's and torch's cost grows with k."""
    import bottleneck
    import cv2
    import numpy as np
    import pandas as pd
    import scipy.ndimage as nd
    import torch

    cv2.setNumThreads(1)
    a = x.numpy()
    y, row, ones, series = np.empty_like(a), a.reshape(1, -1), np.ones((1, k), np.uint8), pd.Series(a)
    wide, pool = np.empty_like(row), torch.nn.functional.max_pool1d
    return {
        "bottleneck": lambda: bottleneck.move_max(a, k),
        "SciPy": lambda: nd.maximum_filter1d(a, k, output=y),
        "pandas": lambda: series.rolling(k).max(),
        "OpenCV": lambda: cv2.dilate(row, ones, dst=wide),
        "torch": lambda: pool(x.view(1, 1, -1), k, 1, k // 2),
    }


def peers_of(x, k, goal):
    """Those that are not too slow, as far as their results go where all windows lie inside."""
    import numpy as np
    import torch

    n, steps = x.numel(), steps_of(x, k)
    slow = {"pandas": n > SIZES["1m"], "OpenCV": k > 101, "torch": k > 7}

    def results(name, step):
        causal = name in ("bottleneck", "pandas")
        first = k - 1 if causal else k // 2
        return lambda: {"y": torch.as_tensor(np.asarray(step(), dtype=np.float32).reshape(-1)[first : first + n - k + 1])}

    return [Peer(name, goal, step, results(name, step)) for name, step in steps.items() if not slow.get(name)]


def against_best(k, size, goal):
    def make(threads):
        import torch

        x = torch.randn(SIZES[size])
        return BestOf(x, k, peers_of(x, k, goal), per=x.numel(), unit="sample")

    return make


class Argmax(Case):
    """Indices beside the maxima themselves."""

    def __init__(self, n, window):
        import torch

        super().__init__({"x": torch.randn(n), "window": torch.tensor([window])}, [], per=n, unit="sample")

    def measure(self, name, threads, rounds):
        sides = {p: Rill(p, threads, self.inputs) for p in ("window_argmax", "window_max")}
        try:
            at, y = (sides[p].results()["y"] for p in sides)
            if not (self.inputs["x"][at] == y).all():
                raise RuntimeError("the indices are not those of the maxima")
            took = take_turns(sides, rounds)
        finally:
            for process in sides.values():
                process.close()
        return [self.row(name, threads, rounds, *(took[p] for p in sides), "the maxima", 0.5)]


# ---- images ---------------------------------------------------------------------------------------


def image(dtype, window=15, side=4096):
    def make(threads):
        import cv2
        import numpy as np
        import torch

        cv2.setNumThreads(1)
        x = torch.randint(0, 256, (side, side)).to(getattr(torch, dtype))
        ones, y = np.ones((window, window), np.uint8), np.empty_like(x.numpy())
        step = lambda: cv2.dilate(x.numpy(), ones, dst=y)
        peer = Peer("OpenCV dilate", 1.5, step, lambda: {"y": torch.as_tensor(step())})
        inputs = {"x": x, "window": torch.tensor([window])}
        return Case(inputs, [peer], 0, per=side * side, unit="pixel", program="window_2d")

    return make


# ---- streams --------------------------------------------------------------------------------------


class Stream(Case):
    """Samples pushed one by one, beside a monotonic deque; and rill's slowest beside its fastest."""

    def __init__(self, samples, windows=(10, 100, 1000, 10000, 100000), n=1 << 20):
        self.samples, self.windows = samples, windows
        super().__init__({}, [], per=n, unit="sample")
        self.n = n

    def inputs_for(self, window):
        import torch

        x = torch.randn(self.n)
        if self.samples == "worst":  # falls for a window's length, then all of it leaves the deque at once
            x = -(torch.arange(self.n) % window).float()
        return {"x": x, "window": torch.tensor([window])}

    def measure(self, name, threads, rounds):
        sides = {}
        try:
            for k in self.windows:
                inputs = self.inputs_for(k)
                for program in (name.rpartition("_")[0], "window_deque"):
                    sides[program, k] = Rill(program, threads, inputs)
            for k in self.windows:
                ours, theirs = (side.results()["y"] for (_, w), side in sides.items() if w == k)
                if not (ours == theirs).all():
                    raise RuntimeError(f"rill and the deque differ for a window of {k}")
            took = take_turns(sides, rounds)
        finally:
            for process in sides.values():
                process.close()
        ours = {k: took[program, k] for program, k in sides if program != "window_deque"}
        worst = min(self.windows, key=lambda k: took["window_deque", k][0] / ours[k][0])
        slow, fast = (pick(self.windows, key=lambda k: ours[k][0]) for pick in (max, min))
        return [
            self.row(name, threads, rounds, ours[worst], took["window_deque", worst], f"deque (k = {worst})", 2),
            self.row(name, threads, rounds, ours[slow], ours[fast], f"itself at k = {fast}", 0.5),
        ]


CASES = [
    ("window_max_1m", lambda threads: AnyLength(SIZES["1m"], 1 / 8), (1,)),
    ("window_max_16m", lambda threads: AnyLength(SIZES["16m"], 1 / 2.5), (1,)),
    *(
        (f"window_max_{size}_k{k}", against_best(k, size, 4 if k == 7 else 20), (1,))
        for size in SIZES
        for k in (7, 101, 1001, 10001)
    ),
    *(
        (f"window_argmax_{size}_k{k}", lambda threads, n=n, k=k: Argmax(n, k), (1,))
        for size, n in SIZES.items()
        for k in (7, 101, 10001)
    ),
    ("window_2d_u8", image("uint8"), (1,)),
    ("window_2d_f32", image("float32"), (1,)),
    *(
        (f"window_{how}_{samples}", lambda threads, samples=samples: Stream(samples), (1,))
        for how in ("push", "push_many")
        for samples in ("random", "worst")
    ),
]
