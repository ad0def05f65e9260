#!/usr/bin/env python3
"""Measures rill beside PyTorch and other peers: run.py [--rounds N] [CASE-PATTERN...], or run.py --markdown.

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
import sys

import layers
import windows
from harness import HERE, measure

RESULTS = os.path.join(HERE, "results.json")
CASES = layers.CASES + windows.CASES

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
        file.write("# rill beside its peers\n\n")
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
