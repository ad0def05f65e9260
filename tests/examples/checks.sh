#!/bin/sh
# Read by the tests of the examples: counts checks, and ends with a summary in the manner of Check.
checks=0 failures=0

# WHAT COMMAND...: does the command succeed?
check() {
  checks=$((checks + 1))
  what=$1
  shift
  "$@" || { failures=$((failures + 1)) && echo "FAIL: $what"; }
}

summary() {
  echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
  [ $failures = 0 ]
}
