"""What all cases are measured with: bench.c as a process, peers in Python, turns, and rows of results."""
import datetime
import json
import os
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("B", os.path.join(HERE, "..", "build"))
COPY_BYTES = 2 << 27  # what a step of bench.c's memcpy reads and writes
FMA_FLOPS = 1 << 27  # what a step of its fma computes
SAMPLE_SECONDS = 0.05  # a sample is as many steps as take this long

# Settings for other machines' kernels that a development environment may carry.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

# ---- safetensors, as far as needed --------------------------------------------------------------


def save_tensors(path, tensors):
    import torch

    names = {torch.float32: "F32", torch.int32: "I32", torch.int64: "I64", torch.uint8: "U8"}
    header, offset = {}, 0
    for name, t in tensors.items():
        size = t.numel() * t.element_size()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for t in tensors.values():
            file.write(t.detach().contiguous().numpy().tobytes())


def load_tensors(path):
    import torch

    dtypes = {"F32": torch.float32, "I32": torch.int32, "I64": torch.int64, "U8": torch.uint8}
    with open(path, "rb") as file:
        data = bytearray(file.read())
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, facts in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        first, last = facts["data_offsets"]
        t = torch.frombuffer(data[start + first : start + last], dtype=dtypes[facts["dtype"]])
        tensors[name] = t.reshape(facts["shape"])
    return tensors


# ---- the two sides ------------------------------------------------------------------------------


class Rill:
    """bench.c, running one case. Waits, and uses no processor, between commands."""

    def __init__(self, case, threads, inputs=None):
        self.directory = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        command = [os.path.join(BUILD, "bench", "bench"), case, str(threads)]
        if inputs:
            command.append(os.path.join(self.directory.name, "in"))
            save_tensors(command[-1], inputs)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.read() != "ready":
            raise RuntimeError("bench did not start")

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench ended with status {self.process.wait()}")
        return line.strip()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()

    def run(self, steps):
        return float(self.ask(f"run {steps}"))

    def results(self):
        path = os.path.join(self.directory.name, "out")
        self.ask(f"save {path}")
        return load_tensors(path)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.directory.cleanup()


class Peer:
    """A Python function. `results` runs it once and names what it gives."""

    def __init__(self, name, goal, step, results):
        self.name, self.goal, self.step, self.results = name, goal, step, results

    def run(self, steps):
        step = self.step
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return time.perf_counter() - start

    def close(self):
        pass


# ---- measuring ----------------------------------------------------------------------------------


def take_turns(sides, rounds):
    """Seconds a step of each side: {name: (median, best)}."""
    steps, samples = {}, {}
    for side, runner in sides.items():
        runner.run(1)
        count, spent = 1, runner.run(1)
        while spent < SAMPLE_SECONDS / 2:
            count = int(count * min(SAMPLE_SECONDS / max(spent, 1e-9), 1000)) + 1
            spent = runner.run(count)
        steps[side], samples[side] = count, []
    for _ in range(rounds):
        for side, runner in sides.items():
            time.sleep(0.02)  # the other side's idle threads go to sleep
            samples[side].append(runner.run(steps[side]) / steps[side])
    return {side: (statistics.median(s), min(s)) for side, s in samples.items()}


class Case:
    """What is measured: inputs, peers, how much work one step is, and bench.c's name for it where that is
    not the case's own."""

    def __init__(
        self, inputs, peers, tolerance=1e-5, steps_before=0, bytes=0, flops=0, peak_goal=None, per=1, unit="step", program=None
    ):
        self.inputs, self.peers, self.tolerance, self.steps_before = inputs, peers, tolerance, steps_before
        self.bytes, self.flops, self.peak_goal, self.per, self.unit = bytes, flops, peak_goal, per, unit
        self.program = program

    def compare(self, ours, peer):
        """The largest rms error of any result, relative to the result's own rms."""
        theirs = peer.results()
        if ours.keys() != theirs.keys():
            raise RuntimeError(f"results differ in name: {sorted(ours.keys() ^ theirs.keys())}")
        worst = 0.0
        for name, reference in theirs.items():
            if ours[name].shape != reference.shape:
                raise RuntimeError(f"{name}: shape {list(ours[name].shape)}, {peer.name} has {list(reference.shape)}")
            x, reference = ours[name].double(), reference.double()
            error = float((x - reference).square().mean().sqrt() / (reference.square().mean().sqrt() + 1e-8))
            if not error <= self.tolerance:
                raise RuntimeError(f"{name}: differs from {peer.name} by {error:.1e}, allowed {self.tolerance:.0e}")
            worst = max(worst, error)
        return worst

    def row(self, name, threads, rounds, ours, theirs, peer, goal, **more):
        """One line of results; ours and theirs are (median, best)."""
        return {
            "case": name, "peer": peer, "threads": threads, "unit": self.unit, "rounds": rounds,
            "rill_median": ours[0] / self.per, "peer_median": theirs[0] / self.per,
            "rill_best": ours[1] / self.per, "peer_best": theirs[1] / self.per,
            "ratio": theirs[0] / ours[0], "goal": goal, "error": 0.0,
            "peak": None, "peak_per_second": None, "fraction": None, "peak_goal": self.peak_goal,
            "load": os.getloadavg()[0], "date": datetime.date.today().isoformat(), **more,
        }  # fmt: skip

    def peak(self, took, threads):
        """Where the work of a step is counted: what share of the machine's peak it is done at."""
        if self.bytes:
            kind, peak, work = "memcpy", COPY_BYTES / took["memcpy"][0], self.bytes
        elif self.flops:
            kind, peak, work = "fma", threads * FMA_FLOPS / took["fma"][0], self.flops
        else:
            return {}
        return {"peak": kind, "peak_per_second": peak, "fraction": work / took["rill"][0] / peak}

    def measure(self, name, threads, rounds):
        """One row for each peer."""
        sides = {"rill": Rill(self.program or name, threads, self.inputs)}
        try:
            for side in (sides["rill"], *self.peers):
                side.run(self.steps_before) if self.steps_before else None
            ours = sides["rill"].results()
            errors = {peer.name: self.compare(ours, peer) for peer in self.peers}
            sides.update((peer.name, peer) for peer in self.peers)
            if self.bytes:
                sides["memcpy"] = Rill("memcpy", 1)
            if self.flops:
                sides["fma"] = Rill("fma", 1)
            took = take_turns(sides, rounds)
        finally:
            for runner in sides.values():
                runner.close()
        return [
            self.row(name, threads, rounds, took["rill"], took[p.name], p.name, p.goal,
                     error=errors[p.name], **self.peak(took, threads))
            for p in self.peers
        ]  # fmt: skip


def measure(name, make, threads, rounds):
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    return make(threads).measure(name, threads, rounds)
