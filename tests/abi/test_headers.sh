#!/bin/sh
# Each public header compiles alone, as C11 and as C++17, without a warning.
# Ends with a line in the manner of Check.
checks=0 failures=0
out=$(mktemp) unit=$(mktemp)
trap 'rm -f "$out" "$unit"' EXIT

try() {
  checks=$((checks + 1))
  "$@" >"$out" 2>&1 && return
  failures=$((failures + 1))
  echo "FAIL $(cat "$unit"): $*"
  head -n 20 "$out"
}

for header in include/rill.h include/rill/*.h include/rill/*/*.h; do
  echo "#include <${header#include/}>" >"$unit"
  for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    try $cc -x c -std=c11 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror \
      -Iinclude -fsyntax-only "$unit"
  done
  for cc in g++ clang++; do
    command -v $cc >/dev/null || continue
    try $cc -x c++ -std=c++17 -pedantic -Wall -Wextra -Werror -Iinclude \
      -fsyntax-only "$unit"
  done
done
[ "$checks" -gt 0 ] || failures=1 checks=1
echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
