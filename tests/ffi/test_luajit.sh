#!/bin/sh
# The LuaJIT client builds itself from the library's JSON, learns, and gives back all that it made.
. tests/ffi/client.sh
command -v luajit >/dev/null || skip 'no luajit here'

client luajit examples/ffi/client.lua
check 'arguments of a wrong type stop in LuaJIT' says "cannot convert 'string' to 'const struct rill_tensor"
check 'the garbage collector leaves nothing behind' says '^left behind: 0 bytes'
check 'no library is an error' sh -c '! luajit examples/ffi/client.lua /nonexistent.so 2>/dev/null'
summary
