#!/bin/sh
# The Python client builds itself from the library's JSON, binds every function it lists and learns.
. tests/ffi/client.sh
command -v python3 >/dev/null || skip 'no python3 here'

client python3 examples/ffi/client.py
check 'it tells the moons apart' [ "$(echo "$out" | awk '$1 == "step" {b = $6} END {print (b >= 0.98)}')" = 1 ]
check 'all that the JSON lists is there' [ "$(echo "$out" | grep -c 'not in the library')" = 0 ]
summary
