#!/usr/bin/env python3
"""The live oracle: every case of tests/ops/*.cases again, with fresh random numbers and the PyTorch
that is installed here.

    python3 tests/oracle/run.py build/tests/ops/test_ops build/oracle

For each round it lets tests/golden/ops.py compute values and gradients in float64 into a folder, and
runs the ops test program on them: the same comparisons and tolerances as on the committed values.
"""
import contextlib
import io
import os
import pathlib
import subprocess
import sys

ROUNDS = 3

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import ops  # noqa: E402
import torch  # noqa: E402


def run(program, folder, salt):
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        ops.main([], salt, folder)
    cases = sum(int(line.split()[1]) for line in said.getvalue().splitlines())
    done = subprocess.run([program], env={**os.environ, "RILL_GOLDEN": str(folder)}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(f"oracle: round {salt}, {cases} cases beside PyTorch {torch.__version__}: "
          f"{'equal' if done.returncode == 0 else 'NOT EQUAL'}")
    if done.returncode:
        print(done.stdout)
    return done.returncode == 0


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    equal = [run(program, folder / str(salt), salt) for salt in range(1, ROUNDS + 1)]
    print(f"{sum(equal)} passed, {len(equal) - sum(equal)} failed")
    sys.exit(not all(equal))


main()
