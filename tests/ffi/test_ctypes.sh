#!/bin/sh
# The Python client builds itself from the library's JSON, binds every function it lists and learns.
# Skipped, as one passed check, where there is no python3.
set -u
case ${B:-build} in
build) library=${RILL_LIBRARY:-lib/librill.so} ;;
*) library=$B/lib/librill.so ;;
esac
summary() { # CHECKS FAILURES
  echo "$((($1 - $2) * 100 / $1))%: Checks: $1, Failures: $2, Errors: 0"
  exit "$(($2 > 0))"
}
if ! command -v python3 >/dev/null; then
  echo 'test_ctypes: skipped, no python3 here'
  summary 1 0
fi
failures=0
check() { # WHAT COMMAND...: does the command succeed?
  what=$1
  shift
  "$@" && return
  echo "FAIL: $what"
  failures=$((failures + 1))
}

out=$(python3 examples/ffi/client.py "$library" 2>&1)
check 'the client ends well' [ $? = 0 ]
echo "$out"
losses() { echo "$out" | awk '$1 == "step" {print $4, $6}'; }
check 'the loss falls to a tenth' [ "$(losses | awk 'NR == 1 {a = $1} {b = $1} END {print (NR > 1 && b < a / 10)}')" = 1 ]
check 'it tells the moons apart' [ "$(losses | awk '{b = $2} END {print (b >= 0.98)}')" = 1 ]
check 'all that the JSON lists is there' [ "$(echo "$out" | grep -c 'not in the library')" = 0 ]
check 'errors are sentences' [ "$(echo "$out" | grep -c 'matmul: .*\[256,2\]')" = 1 ]
check 'two runs print the same' [ "$(python3 examples/ffi/client.py "$library" 2>&1)" = "$out" ]
summary 6 "$failures"
