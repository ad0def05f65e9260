#!/bin/sh
# Runs the test programs named, prints what fails, and ends with one line in the manner of Check.
checks=0 failures=0 errors=0
for t in "$@"; do
  out=$($RUNNER "$t" 2>&1); rc=$?
  line=$(printf '%s\n' "$out" | grep -E '^[0-9]+%: Checks:' | tail -n 1)
  if [ -z "$line" ]; then
    printf '%s\n%s: no summary, exit %d\n' "$out" "$t" "$rc"; errors=$((errors + 1)); continue
  fi
  set -- $(printf '%s' "$line" | tr -c '0-9\n' ' ')
  checks=$((checks + $2)) failures=$((failures + $3)) errors=$((errors + $4))
  [ "$rc" = 0 ] || printf '%s\n' "$out"
  [ "$rc" = 0 ] || [ $(($3 + $4)) -gt 0 ] || errors=$((errors + 1))
  [ "$rc" = 0 ] && printf 'ok   %-40s %5d checks\n' "${t#*tests/}" "$2"
done
[ "$checks" -gt 0 ] || errors=$((errors + 1))
percent=$((checks ? (checks - failures - errors) * 100 / checks : 0))
printf '%d%%: Checks: %d, Failures: %d, Errors: %d\n' "$percent" "$checks" "$failures" "$errors"
[ $((failures + errors)) -eq 0 ]
