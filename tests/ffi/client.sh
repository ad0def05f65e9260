# shellcheck shell=sh
# Sourced by the tests of clients in other languages: what all of them must do, and Check's closing line.
case ${B:-build} in
build) RILL_LIBRARY=${RILL_LIBRARY:-lib/librill.so} ;;
*) RILL_LIBRARY=$B/lib/librill.so ;;
esac
export RILL_LIBRARY
set -u
checks=0 failures=0

check() { # WHAT COMMAND...: does the command succeed?
  what=$1
  checks=$((checks + 1))
  shift
  "$@" && return
  echo "FAIL: $what"
  failures=$((failures + 1))
}

summary() {
  echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
  exit "$((failures > 0))"
}

skip() { # WHY: one passed check
  echo "$(basename "$0" .sh): skipped, $1"
  checks=1
  summary
}

says() { echo "$out" | grep -q -e "$1"; }
loss_falls() { echo "$out" | awk '$1 == "step" {if (!n++) a = $4; b = $4} END {exit !(n > 1 && b < a / 10)}'; }

client() { # COMMAND...: what it prints is in $out
  out=$("$@" "$RILL_LIBRARY" 2>&1)
  check 'the client ends well' [ $? = 0 ]
  echo "$out"
  check 'the loss falls to a tenth' loss_falls
  check 'errors are sentences' says 'matmul: inner dimensions differ: \[.*\] x \[.*\]'
  check 'two runs print the same' [ "$("$@" "$RILL_LIBRARY" 2>&1)" = "$out" ]
}
