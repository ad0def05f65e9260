#!/bin/sh
# Runs the test programs and scripts named, JOBS at a time, each through $RUNNER (a valgrind, say).
# Prints what fails, and ends with one line in the manner of Check. A test passes when it exits 0 and
# its last such line says so.
if [ "$1" = --one ]; then
  start=$(date +%s)
  case $3 in
  *.sh) "$3" >"$2" 2>&1 ;;
  *) $RUNNER "$3" >"$2" 2>&1 ;;
  esac
  rc=$?
  line=$(grep -aE '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$2" | tail -n 1)
  name=${3#*tests/}
  # shellcheck disable=SC2046 # three numbers
  set -- "$2" $(printf '%s' "${line#*%}" | tr -c '0-9' ' ')
  if [ -z "$line" ]; then
    set -- "$1" 0 0 1
    echo "no summary, exit status $rc" >>"$1"
  elif [ $rc != 0 ] && [ $(($3 + $4)) = 0 ]; then
    set -- "$1" "$2" 0 1
    echo "exit status $rc" >>"$1"
  fi
  echo "$2 $3 $4" >"$1.count"
  if [ $(($3 + $4)) = 0 ]; then
    printf 'ok   %-44s %5d checks %4d s\n' "$name" "$2" $(($(date +%s) - start))
  else
    # One printf, so that what other tests say does not come between.
    printf '%s\nFAIL %s\n' "$(cat "$1")" "$name"
  fi
  exit 0
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
export CK_DEFAULT_TIMEOUT="${CK_DEFAULT_TIMEOUT:-300}" RUNNER
export ASAN_OPTIONS="${ASAN_OPTIONS:-allocator_may_return_null=1:detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-allocator_may_return_null=1:second_deadlock_stack=1}"

i=0
for t in "$@"; do
  i=$((i + 1))
  printf '%s\0%s\0' "$dir/$i" "$t"
done | xargs -0 -r -n 2 -P "${JOBS:-$(nproc)}" "$0" --one

# A test that left no count (the runner was killed) is an error.
cat "$dir"/*.count 2>/dev/null | awk -v tests=$# '
  { checks += $1; failures += $2; errors += $3; seen++ }
  END {
    errors += tests - seen
    if (!checks) errors++
    good = checks - failures - errors
    printf "%d%%: Checks: %d, Failures: %d, Errors: %d\n", (checks && good > 0) ? good * 100 / checks : 0,
           checks, failures, errors
    exit (failures + errors > 0)
  }'
