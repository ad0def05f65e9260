#!/bin/sh
# The Python client builds itself from the library's JSON, binds every function it lists and learns.
. tests/ffi/client.sh
command -v python3 >/dev/null || skip 'no python3 here'

client python3 examples/ffi/client.py
check 'it tells the moons apart' [ "$(echo "$out" | awk '$1 == "step" {b = $6} END {print (b >= 0.98)}')" = 1 ]
check 'all that the JSON lists is there' [ "$(echo "$out" | grep -c 'not in the library')" = 0 ]

client='
import ctypes, os, sys
sys.path.insert(0, "examples/ffi")
import client
rill = client.Rill(os.environ["RILL_LIBRARY"])
'
structs='
for struct in rill.api["structs"]:
    kind = rill.types[struct["name"]]
    assert ctypes.sizeof(kind) == struct["size"], struct["name"]
    for field in struct["fields"]:
        assert getattr(kind, field["name"]).offset == field["offset"], (struct["name"], field)
assert len(rill.api["structs"]) > 20'
hook='
seen = []
hook = rill.types["rill_grad_hook"](lambda ctx, user, grad: seen.append(client.Tensor(rill, grad).tolist()))
x = rill.randn(2).requires_grad()
rill.run("rill_add_grad_hook", x.handle, hook, None, rill.types["rill_finalizer"]())
rill.sum(rill.mul_scalar(x, 3.0)).backward()
assert seen == [[3, 3]], seen'
check 'ctypes lays structs out as the library does' python3 -Bc "$client$structs"
check 'a callback in Python runs' python3 -Bc "$client$hook"
summary
