#!/bin/sh
# fuzz.sh SECONDS PROGRAM...: runs each libFuzzer program on its corpus for that long. New inputs go to
# the build tree, the committed seeds stay as they are.
set -eu
seconds=$1
shift
[ $# -gt 0 ] || { echo 'fuzz: no tests/fuzz/fuzz_*.c' >&2; exit 1; }
for program in "$@"; do
  seeds=tests/fuzz/corpus/$(basename "$program" | sed 's/^fuzz_//')
  mkdir -p "$program.corpus"
  [ -d "$seeds" ] || seeds=
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$program." "$program.corpus" $seeds
done
