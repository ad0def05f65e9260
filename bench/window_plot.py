#!/usr/bin/env python3
"""Draws docs/window.svg: nanoseconds a sample against the window's length, rill and its peers.

All at one length take turns, as in run.py, on one thread; a peer whose cost grows with the window is
left out from where it takes longer than LIMIT. Needs matplotlib. Environment: B, the build folder."""
import os

from harness import HERE, Peer, Rill, take_turns
from windows import At, SIZES, steps_of

N = SIZES["1m"]
LENGTHS = (2, 3, 5, 7, 11, 15, 25, 51, 101, 201, 501, 1001, 2001, 5001, 10001, 30001, 100001)
LIMIT = 200e-9 * N
ROUNDS = 5


def measure():
    """{name: [(k, nanoseconds a sample)]}"""
    import torch

    torch.set_num_threads(1)
    x = torch.randn(N)
    inputs = {"x": x, "window": torch.tensor([2])}
    rill, copy, arg = (Rill(p, 1, inputs) for p in ("window_max", "window_copy", "window_argmax"))
    lines, slow = {}, set()
    for k in LENGTHS:
        sides = {"rill": At(rill, k), "rill argmax": At(arg, k), "memcpy": copy}
        sides.update((name, Peer(name, None, step, None)) for name, step in steps_of(x, k).items() if name not in slow)
        for name, (median, _) in take_turns(sides, ROUNDS).items():
            lines.setdefault(name, []).append((k, median / N * 1e9))
            if median > LIMIT:
                slow.add(name)
        print(k, *(f"{name} {points[-1][1]:.2f}" for name, points in lines.items() if points[-1][0] == k), flush=True)
    for process in (rill, copy, arg):
        process.close()
    return lines


def draw(lines, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "rill", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.6))
    ours = {"rill": "#c0392b", "rill argmax": "#e59866", "memcpy": "#7f8c8d"}
    for name, points in lines.items():
        k, nanoseconds = zip(*points)
        style = {"lw": 2.2, "color": ours[name]} if name in ours else {"lw": 1.2}
        axes.loglog(k, nanoseconds, marker="." if name != "memcpy" else None, label=name, **style)
    axes.set_xlabel("samples in the window")
    axes.set_ylabel("nanoseconds a sample")
    axes.set_title("Sliding maximum of 2^20 floats, one thread")
    axes.grid(True, which="major", lw=0.4)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    draw(measure(), os.path.join(HERE, "..", "docs", "window.svg"))
