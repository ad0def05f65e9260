#!/usr/bin/env python3
"""Measures rill beside PyTorch: run.py [--rounds N] [CASE-PATTERN...], or run.py --markdown.

Each case gives both sides the same inputs and compares their results first. Then the sides take turns
(rill, peer, rill, peer...), both warmed up, on the same number of threads, and the medians count.
rill's loop runs in C (bench.c, a process of its own), PyTorch's in Python, which is its API. What the
machine can do at best (fused multiply-adds, memcpy) is measured in the same turns.

Writes bench/results.json (cases not run keep their last figures); --markdown writes bench/RESULTS.md
from it and from bench/notes.md, and measures nothing.
Environment: RILL_LIBRARY the shared object, whose version and kernels are reported, B the build folder.
"""
import argparse
import ctypes
import datetime
import fnmatch
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("B", os.path.join(HERE, "..", "build"))
RESULTS = os.path.join(HERE, "results.json")
COPY_BYTES = 2 << 27  # what a step of bench.c's memcpy reads and writes
FMA_FLOPS = 1 << 27  # what a step of its fma computes
SAMPLE_SECONDS = 0.05  # a sample is as many steps as take this long

# Settings for other machines' kernels that a development environment may carry.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

# ---- safetensors, as far as needed --------------------------------------------------------------


def save_tensors(path, tensors):
    import torch

    names = {torch.float32: "F32", torch.int32: "I32", torch.int64: "I64"}
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

    dtypes = {"F32": torch.float32, "I32": torch.int32, "I64": torch.int64}
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


class Case:
    """What is measured: bench.c's name for it, inputs, peers, and how much work one step is."""

    def __init__(self, inputs, peers, tolerance=1e-5, steps_before=0, bytes=0, flops=0, peak_goal=None, per=1, unit="step"):
        self.inputs, self.peers, self.tolerance, self.steps_before = inputs, peers, tolerance, steps_before
        self.bytes, self.flops, self.peak_goal, self.per, self.unit = bytes, flops, peak_goal, per, unit


# ---- cases: each a function of the number of threads -----------------------------------------------


def add10(threads, requires_grad=False):
    import torch

    a, b = torch.randn(10), torch.randn(10)
    inputs = {"a": a.clone(), "b": b.clone()}
    a.requires_grad_(requires_grad)
    return Case(inputs, [Peer("torch", 10, lambda: a + b, lambda: {"y": (a + b).detach()})])


def add10_recorded(threads):
    return add10(threads, True)


def wide(name):
    """An op on 64 x 1024 x 512. PyTorch gives each result fresh memory, which the system must map;
    rill takes it from the context's cache. So the ops that can write into a given tensor are measured
    so, too."""

    def make(threads):
        import torch
        import torch.nn.functional as F

        a = torch.randn(64, 1024, 512)
        inputs, moves, out = {"a": a}, 2, None
        if name == "add":
            b = inputs["b"] = torch.randn(64, 1024, 512)
            moves, step, out = 3, lambda: a + b, lambda y: torch.add(a, b, out=y)
        elif name == "exp":
            step, out = lambda: torch.exp(a), lambda y: torch.exp(a, out=y)
        elif name == "gelu":
            step = lambda: F.gelu(a)
        elif name == "softmax":
            step, out = lambda: F.softmax(a, -1), lambda y: torch.softmax(a, -1, out=y)
        else:
            weight, bias = inputs["weight"], inputs["bias"] = torch.randn(512), torch.randn(512)
            step = lambda: F.layer_norm(a, (512,), weight, bias, 1e-5)
        peers = [Peer("torch", 2, step, lambda: {"y": step()})]
        if out:
            y = torch.empty_like(a)
            peers.append(Peer("torch out=", None, lambda: out(y), lambda: {"y": out(y)}))
        return Case(inputs, peers, 1e-6, bytes=moves * 4 * a.numel(), peak_goal=0.6)

    return make


def with_grads(forward, tensors, seed, result=lambda name, t: t):
    """One forward and backward pass, and what it gives by rill's names."""

    def step():
        for t in tensors.values():
            t.grad = None
        y = forward()
        y.backward(seed)
        return y

    def results():
        y = step().detach()
        return {"y": result("y", y), **{"grad." + n: result(n, t.grad) for n, t in tensors.items()}}

    return step, results


def attention_fwd_bwd(threads):
    import torch
    import torch.nn.functional as F

    batch, heads, time_, width = 4, 8, 1024, 64
    tensors = {n: torch.randn(batch, heads, time_, width) for n in "qkv"}
    seed = torch.randn(batch, heads, time_, width)
    # rill has time before heads.
    inputs = {n: t.transpose(1, 2).contiguous() for n, t in (*tensors.items(), ("seed", seed))}
    for t in tensors.values():
        t.requires_grad_()
    step, results = with_grads(
        lambda: F.scaled_dot_product_attention(*tensors.values(), is_causal=True),
        tensors, seed, lambda name, t: t.transpose(1, 2))  # fmt: skip
    # Two products forward and five backward, half of each masked.
    flops = 7 * 2 * batch * heads * time_ * time_ * width / 2
    return Case(inputs, [Peer("torch sdpa", 1, step, results)], 1e-5, flops=flops)


def selective_scan_fwd_bwd(threads):
    import torch

    batch, length, width, states = 4, 1024, 512, 16
    t = {
        "u": torch.randn(batch, length, width),
        "delta": 10 ** (-3 + 2 * torch.rand(batch, length, width)),  # Mamba begins with 0.001 ... 0.1
        "A": -torch.arange(1.0, states + 1).repeat(width, 1),
        "B": torch.randn(batch, length, states),
        "C": torch.randn(batch, length, states),
    }
    seed = torch.randn(batch, length, width)
    inputs = {**{n: v.clone() for n, v in t.items()}, "seed": seed}
    for v in t.values():
        v.requires_grad_()

    def loop():
        h, y = torch.zeros(batch, width, states), []
        for u, delta, b, c in zip(*(t[n].unbind(1) for n in ("u", "delta", "B", "C"))):
            h = torch.exp(delta.unsqueeze(-1) * t["A"]) * h + (delta * u).unsqueeze(-1) * b.unsqueeze(1)
            y.append((h @ c.unsqueeze(-1)).squeeze(-1))
        return torch.stack(y, 1)

    def associative(chunk=16):
        """h_t = exp(L_t) (h_0 + sum_s<=t x_s exp(-L_s)), L the running sum of delta A, in chunks short
        enough that exp(-L) stays small. The sum is a product with a triangle of ones; that, this chunk
        and chunks one after the other were the fastest of what was tried: see notes.md."""
        h, y, ones = torch.zeros(batch, 1, width, states), [], torch.ones(chunk, chunk).tril()
        for u, delta, b, c in zip(*(t[n].split(chunk, 1) for n in ("u", "delta", "B", "C"))):
            log_a = delta.cumsum(1).unsqueeze(-1) * t["A"]
            x = (delta * u).unsqueeze(-1) * b.unsqueeze(2) * torch.exp(-log_a)
            all_h = torch.exp(log_a) * (h + (ones @ x.flatten(2)).view_as(x))
            h = all_h[:, -1:]
            y.append((all_h @ c.unsqueeze(-1)).squeeze(-1))
        return torch.cat(y, 1)

    peers = [
        Peer("torch loop", 10, *with_grads(loop, t, seed)),
        Peer("torch associative", 3, *with_grads(associative, t, seed)),
    ]
    return Case(inputs, peers, 1e-4)


def training(model, batch, target, fused, max_norm=0):
    """AdamW on a model; the results are the loss and the parameters after it."""
    import torch
    import torch.nn.functional as F

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=fused)

    def step():
        loss = F.cross_entropy(model(batch).flatten(0, -2), target.flatten())
        loss.backward()
        if max_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    def results():
        loss = step().detach()
        return {"loss": loss, **{n: p.detach() for n, p in model.named_parameters()}}

    return step, results


def training_case(model, batch, target, goal, **facts):
    import copy

    inputs = {n: p.detach().clone() for n, p in model.named_parameters()}
    inputs.update(input=batch, target=target)
    peers = []
    max_norm = facts.pop("max_norm", 0)
    for name, fused in (("torch", None), ("torch fused AdamW", True)):
        peers.append(Peer(name, goal, *training(copy.deepcopy(model), batch, target, fused, max_norm)))
    return Case(inputs, peers, 1e-3, steps_before=2, **facts)


def mlp_step(threads):
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return training_case(model, torch.randn(32, 64), torch.randint(0, 10, (32,)), 10)


def transformer():
    """The demo's attention model (examples/charlm.c), with rill's parameter names."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    width, heads, longest = 128, 4, 128
    angles = torch.outer(torch.arange(longest), 10000 ** (-torch.arange(0, width // heads, 2) * heads / width))
    cos, sin = angles.cos(), angles.sin()

    def rope(x, first):
        c, s = cos[first : first + x.shape[2]], sin[first : first + x.shape[2]]
        a, b = x.chunk(2, -1)
        return torch.cat((a * c - b * s, b * c + a * s), -1)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                setattr(self, name, nn.Linear(width, width, bias=False))

        def forward(self, x, cache=None):
            q, k, v = (p(x).unflatten(-1, (heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
            first = cache["steps"] if cache else 0
            q, k = rope(q, first), rope(k, first)
            if cache:
                keys, values = cache[self]
                last = first + k.shape[2]
                keys[:, :, first:last], values[:, :, first:last] = k, v
                k, v = keys[:, :, :last], values[:, :, :last]
            y = F.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1)
            return self.out_proj(y.transpose(1, 2).flatten(2))

    class Residual(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.inner = nn.Sequential(nn.RMSNorm(width, eps=1e-5), layer)

        def forward(self, x, cache=None):
            norm, layer = self.inner
            return x + (layer(norm(x), cache) if cache and isinstance(layer, Attention) else layer(norm(x)))

    class Model(nn.Sequential):
        def forward(self, x, cache=None):
            for layer in self:
                x = layer(x, cache) if isinstance(layer, Residual) else layer(x)
            return x

        def new_cache(self):
            kept = [m for m in self.modules() if isinstance(m, Attention)]
            return {"steps": 0, **{m: torch.empty(2, 1, heads, longest, width // heads) for m in kept}}

    layers = [nn.Embedding(256, width)]
    for _ in range(4):
        mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        layers += [Residual(Attention()), Residual(mlp)]
    return Model(*layers, nn.RMSNorm(width, eps=1e-5), nn.Linear(width, 256))


def transformer_step(threads):
    import torch

    model, tokens = transformer(), 8 * 128
    matrices = sum(p.numel() for p in model[1:].parameters() if p.ndim == 2)
    flops = 6 * matrices * tokens + 4 * 7 * 2 * 8 * 128 * 128 * 128 / 2  # products, and attention as above
    text = torch.randint(0, 256, (8, 129))
    return training_case(model, text[:, :-1].contiguous(), text[:, 1:].contiguous(), 2, flops=flops, max_norm=1.0)


def charlm_decode(threads):
    import torch

    model = transformer().eval()
    prompt = torch.randint(0, 256, (1, 16))
    inputs = {n: p.detach().clone() for n, p in model.named_parameters()}

    def step():
        with torch.inference_mode():
            cache, x, tokens = model.new_cache(), prompt, []
            for _ in range(112):
                logits = model(x, cache)[:, -1]
                cache["steps"] += x.shape[1]
                x = logits.argmax(-1, keepdim=True)
                tokens.append(x)
            return torch.cat(tokens, 1)

    return Case({**inputs, "prompt": prompt}, [Peer("torch", None, step, lambda: {"tokens": step()})], 0, per=112, unit="token")


CASES = [
    ("add10", add10, (1,)),
    ("add10_recorded", add10_recorded, (1,)),
    ("mlp_step", mlp_step, (1,)),
    *((name, wide(name), (1,)) for name in ("add", "exp", "gelu", "softmax", "layer_norm")),
    ("attention_fwd_bwd", attention_fwd_bwd, (1, 2)),
    ("selective_scan_fwd_bwd", selective_scan_fwd_bwd, (1,)),
    ("transformer_step", transformer_step, (2,)),
    ("charlm_decode", charlm_decode, (1,)),
]

# ---- measuring ----------------------------------------------------------------------------------


def compare(case, ours, peer):
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
        if not error <= case.tolerance:
            raise RuntimeError(f"{name}: differs from {peer.name} by {error:.1e}, allowed {case.tolerance:.0e}")
        worst = max(worst, error)
    return worst


def measure(name, make, threads, rounds):
    """One row for each peer."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    case = make(threads)
    sides = {"rill": Rill(name, threads, case.inputs)}
    try:
        for side in (sides["rill"], *case.peers):
            side.run(case.steps_before) if case.steps_before else None
        ours = sides["rill"].results()
        errors = {peer.name: compare(case, ours, peer) for peer in case.peers}
        sides.update((peer.name, peer) for peer in case.peers)
        if case.bytes:
            sides["memcpy"] = Rill("memcpy", 1)
        if case.flops:
            sides["fma"] = Rill("fma", 1)
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
    finally:
        for runner in sides.values():
            runner.close()
    median = {side: statistics.median(s) for side, s in samples.items()}
    best = {side: min(s) for side, s in samples.items()}
    fraction = peak = peak_kind = None
    if case.bytes:
        peak_kind, peak = "memcpy", COPY_BYTES / median["memcpy"]
        fraction = case.bytes / median["rill"] / peak
    if case.flops:
        peak_kind, peak = "fma", threads * FMA_FLOPS / median["fma"]
        fraction = case.flops / median["rill"] / peak
    return [
        {
            "case": name, "peer": peer.name, "threads": threads, "unit": case.unit, "rounds": rounds,
            "rill_median": median["rill"] / case.per, "peer_median": median[peer.name] / case.per,
            "rill_best": best["rill"] / case.per, "peer_best": best[peer.name] / case.per,
            "ratio": median[peer.name] / median["rill"], "goal": peer.goal, "error": errors[peer.name],
            "peak": peak_kind, "peak_per_second": peak, "fraction": fraction,
            "peak_goal": case.peak_goal,
            "load": os.getloadavg()[0], "date": datetime.date.today().isoformat(),
        }
        for peer in case.peers
    ]  # fmt: skip


# ---- what is said about it ------------------------------------------------------------------------


def machine():
    import torch

    facts = {"date": datetime.date.today().isoformat(), "torch": torch.__version__, "python": platform.python_version()}
    facts["processor"], facts["processors"] = platform.processor() or platform.machine(), os.cpu_count()
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        facts["processor"] = lines[0] if lines else facts["processor"]
    except OSError:
        pass
    facts["system"] = f"{platform.system()} {platform.release()}"
    if "RILL_LIBRARY" in os.environ:
        rill = ctypes.CDLL(os.path.abspath(os.environ["RILL_LIBRARY"]))
        rill.rill_version.restype = rill.rill_cpu_kernels.restype = ctypes.c_char_p
        facts["rill"], facts["kernels"] = rill.rill_version().decode(), rill.rill_cpu_kernels().decode()
    return facts


def duration(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 999.5 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


COLUMNS = ("case", "peer", "threads", "rill", "peer takes", "ratio", "goal", "peak")


def cells(row):
    goal = "" if row["goal"] is None else f">= {row['goal']} " + ("met" if row["ratio"] >= row["goal"] else "missed")
    peak = "" if row["fraction"] is None else f"{100 * row['fraction']:.0f} % of {row['peak']}"
    if row["peak_goal"]:
        peak += f", >= {100 * row['peak_goal']:.0f} " + ("met" if row["fraction"] >= row["peak_goal"] else "missed")
    per = "" if row["unit"] == "step" else "/" + row["unit"]
    return (
        row["case"], row["peer"], str(row["threads"]), duration(row["rill_median"]) + per,
        duration(row["peer_median"]) + per, f"{row['ratio']:.2f}", goal, peak,
    )  # fmt: skip


def line(texts):
    widths = (23, 18, 7, 14, 14, 7, 12, 0)
    return "  ".join(f"{t:<{w}}" for t, w in zip(texts, widths)).rstrip()


def markdown(found):
    facts = found["machine"]
    with open(os.path.join(HERE, "notes.md")) as file:
        notes = file.read()
    table = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, found["cases"])]
    load = max((row["load"] for row in found["cases"]), default=0)
    with open(os.path.join(HERE, "RESULTS.md"), "w") as file:
        file.write("# rill beside PyTorch\n\n")
        file.write(f"{facts['date']}, {facts['processor']}, {facts['processors']} processors, {facts['system']}; ")
        file.write(f"rill {facts.get('rill', '?')} ({facts.get('kernels', '?')} kernels), PyTorch {facts['torch']}, ")
        file.write(f"Python {facts['python']}; load average up to {load:.1f}.\n\n")
        file.writelines("| " + " | ".join(row) + " |\n" for row in table)
        file.write("\n" + notes)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pattern", nargs="*", help="cases to run, as 'add*'; all where there is none")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--markdown", action="store_true", help="write RESULTS.md from the last results")
    options = options.parse_args()
    found = {"machine": {}, "cases": []}
    if os.path.exists(RESULTS):
        with open(RESULTS) as file:
            found = json.load(file)
    if options.markdown:
        return markdown(found)
    try:
        found["machine"] = machine()
    except ImportError:
        print("bench: skipped, no PyTorch here")
        return 0
    print(line(COLUMNS))
    failed = ran = 0
    for name, make, thread_counts in CASES:
        if options.pattern and not any(fnmatch.fnmatch(name, p) for p in options.pattern):
            continue
        for threads in thread_counts:
            ran += 1
            try:
                rows = measure(name, make, threads, options.rounds)
            except (RuntimeError, BrokenPipeError) as error:
                print(f"{name}: FAILED: {error}", flush=True)
                failed += 1
                continue
            found["cases"] = [r for r in found["cases"] if (r["case"], r["threads"]) != (name, threads)] + rows
            for row in rows:
                print(line(cells(row)), flush=True)
    if not ran:
        print("no such case; there are " + " ".join(name for name, *_ in CASES))
        return 2
    order = [name for name, *_ in CASES]
    found["cases"].sort(key=lambda r: (order.index(r["case"]), r["threads"]))
    with open(RESULTS, "w") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
