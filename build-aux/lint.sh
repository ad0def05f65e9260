#!/bin/bash
# lint.sh FILE...: the formatting, the floors, the file lengths, the words that the library must not
# use, and the shell scripts. lint.sh --formatter prints the clang-format in use: version 14, since each
# version lays code out a little differently.
set -u

formatter() {
  local c
  for c in ${CLANG_FORMAT:-} clang-format-14 clang-format; do
    command -v "$c" >/dev/null && "$c" --version | grep -q 'version 14\.' && command -v "$c" && return
  done
  return 1
}

if [ "${1:-}" = --formatter ]; then
  formatter || { echo 'format: needs clang-format 14 (CLANG_FORMAT=...)' >&2; echo false; }
  exit
fi

bad=0
mapfile -t sources < <(find src include -name '*.[ch]')
mapfile -t programs < <(find tests examples bench -name '*.[ch]' ! -path 'tests/golden/*')
mapfile -t example_scripts < <(find examples -name '*.sh')
if f=$(formatter); then
  "$f" --dry-run -Werror "$@" 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c |
    awk '{print "lint: " $2 ": " $1 " places that make format would change"; n++} END {exit n > 0}' || bad=1
else
  echo 'lint: formatting not checked, no clang-format 14 here'
fi

# A file includes nothing from a floor above its own.
awk '
  BEGIN {
    n = split("base pure tensor autograd ops=registry nn=optim=io sequence=window dist ffi", floors, " ")
    for (i = 1; i <= n; i++) {
      m = split(floors[i], names, "=")
      for (j = 1; j <= m; j++) level[names[j]] = i
    }
  }
  function floor_of(path) { sub(/^rill\//, "", path); sub(/[\/.].*/, "", path); return path }
  FNR == 1 { own = FILENAME; sub(/^(src|include)\//, "", own); own = floor_of(own) }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    path = $0
    gsub(/^[^"]*"|".*/, "", path)
    # A name without a folder lies in the folder of the file itself.
    other = path ~ /\// ? floor_of(path) : own
    if (own == "rill") next
    if (!(other in level)) print "lint: " FILENAME ": " path " is on no floor"
    else if (level[other] > level[own]) print "lint: " FILENAME ": " path " is on a floor above"
    else next
    bad = 1
  }
  END { exit bad }' "${sources[@]}" || bad=1

# What the API's JSON says is what the headers say.
mapfile -t headers < <(find include/rill -name '*.h' | LC_ALL=C sort)
build-aux/functions.sh --check src/ffi/functions.inc "${headers[@]}" || bad=1

# Long files are a warning only.
wc -l "${sources[@]}" "${programs[@]}" |
  awk '$2 != "total" && $1 > 600 {print "lint: warning: " $2 " has " $1 " lines"}'

# Thread-local storage, constructors and unfinished business.
grep -nE '_Thread_local|__thread\b|thread_local|__attribute__ *\(\((constructor|destructor)|\b(TODO|FIXME|XXX)\b' \
  "${sources[@]}" | sed 's/^/lint: /' | grep . && bad=1

if command -v shellcheck >/dev/null; then
  shellcheck -S warning build-aux/*.sh .ci/run tests/*/*.sh "${example_scripts[@]}" || bad=1
else
  for s in build-aux/*.sh tests/*/*.sh "${example_scripts[@]}"; do
    case $(head -n 1 "$s") in
    *bash) bash -n "$s" || bad=1 ;;
    *) sh -n "$s" || bad=1 ;;
    esac
  done
fi
[ $bad = 0 ] && echo 'lint: clean'
exit $bad
