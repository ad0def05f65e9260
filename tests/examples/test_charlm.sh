#!/bin/sh
# charlm from outside: a run stopped and resumed gives the model of one that never stopped; eval and
# generate read it back; Ctrl-C saves; wrong use is refused.
charlm=${B:-build}/examples/charlm
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/examples/checks.sh
. "$(dirname "$0")/checks.sh"

awk 'BEGIN { for (i = 0; i < 4000; i++) printf "%d times %d is %d. ", i % 13, i % 7, (i % 13) * (i % 7) }' >"$dir/text"
train() { "$charlm" train "$dir/text" --threads 2 "$@" >>"$dir/log" 2>&1; }
said() { "$charlm" eval "$dir/$1" "$dir/text" && "$charlm" generate "$dir/$1" --prompt '3 times' --length 40 | grep -v tokens/s; }

# Runs and presses Ctrl-C: halfway, or (on a quick machine) too late to matter. On a busy one it may come
# before training has begun, when there is nothing to save: then once more, later.
interrupted() {
  for seconds in 1.5 6 24; do
    timeout --preserve-status --signal INT --kill-after 60 $seconds \
      "$charlm" train "$dir/text" --threads 2 "$@" >"$dir/log2" 2>&1
    status=$?
    grep -q '^saved' "$dir/log2" && break
  done
  return $status
}

for mixer in attention mamba; do
  check "$mixer trains" train --mixer $mixer --steps 24 --out "$dir/whole"
  interrupted --mixer $mixer --steps 24 --out "$dir/parts"
  check "$mixer resumes" train --mixer $mixer --steps 24 --out "$dir/parts" --resume
  said whole >"$dir/a" || failures=$((failures + 1))
  said parts >"$dir/b" || failures=$((failures + 1))
  check "$mixer goes on as if never stopped" cmp "$dir/a" "$dir/b"
  check "$mixer streams as it runs in parallel" grep -q ': equal' "$dir/a"
done

interrupted --mixer mamba --steps 100000 --out "$dir/stopped"
check 'Ctrl-C ends with 130' test $? = 130
check 'and says how to go on' grep -q -- '--resume' "$dir/log2"
check 'with a model that evaluates' sh -c "'$charlm' eval '$dir/stopped' '$dir/text' >/dev/null"
check 'no text is an error' sh -c "! '$charlm' train /nonexistent 2>/dev/null"
check 'no model is an error' sh -c "! '$charlm' eval /nonexistent '$dir/text' 2>/dev/null"
check 'no command is an error' sh -c "! '$charlm' 2>/dev/null"

summary || { cat "$dir/log" && exit 1; }
