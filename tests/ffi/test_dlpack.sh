#!/bin/sh
# Tensors travel between rill, NumPy and PyTorch, both ways and without a copy, through real capsules.
. tests/ffi/client.sh
python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip 'no python3 here'
there='import importlib.util as u, sys; sys.exit(not (u.find_spec("numpy") or u.find_spec("torch")))'
"$python" -c "$there" || skip 'neither NumPy nor PyTorch here'
exec "$python" tests/ffi/dlpack.py "$RILL_LIBRARY"
