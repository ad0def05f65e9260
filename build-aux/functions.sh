#!/bin/sh
# functions.sh HEADER...: what the public headers declare, as rows for src/ffi/json.c: each exported
# function with its prototype on one line, each enum with its constants as a JSON object.
# functions.sh --check FILE HEADER...: is FILE what that prints?
set -eu
if [ "$1" = --check ]; then
  file=$2
  shift 2
  "$0" "$@" | cmp -s - "$file" && exit
  echo "lint: $file is not what the headers say: make functions"
  exit 1
fi
echo '/* Generated from include/rill by build-aux/functions.sh: make functions. */'
awk '
  # The line without comments; those that run on swallow the lines up to their end.
  function code(line,   a, b, out) {
    out = ""
    for (;;) {
      if (in_comment) {
        if (!(b = index(line, "*/"))) return out
        line = " " substr(line, b + 2)
        in_comment = 0
      }
      if (!(a = index(line, "/*"))) return out line
      out = out substr(line, 1, a - 1)
      line = substr(line, a + 2)
      in_comment = 1
    }
  }
  function function_row(text,   name) {
    sub(/^RILL_API /, "", text)
    name = substr(text, 1, index(text, "(") - 1)
    sub(/.*[ *]/, "", name)
    printf "FUNCTION(\"%s\", \"%s\", \"%s\")\n", name, text, header
  }
  function enum_row(text,   name, n, i, items, pair, json) {
    name = text
    sub(/.*[}] */, "", name)
    gsub(/^[^{]*[{] *| *,? *[}].*$/, "", text)
    n = split(text, items, / *, */)
    for (i = 1; i <= n; i++) {
      split(items[i], pair, / *= */)
      if (pair[2] !~ /^-?[0-9]+$/) {
        print "functions: " header ": " pair[1] " has no explicit value" >"/dev/stderr"
        exit failed = 1
      }
      json = json (i > 1 ? ", " : "") "\\\"" pair[1] "\\\": " pair[2]
    }
    printf "ENUM(\"%s\", \"{%s}\", \"%s\")\n", name, json, header
  }
  FNR == 1 {
    header = FILENAME
    sub(/.*include\//, "", header)
    text = ""
  }
  {
    line = code($0)
    if (line ~ /^[ \t]*#/) next
    if (text == "" && line !~ /^(RILL_API|typedef enum) /) next
    text = text " " line
    if (text !~ /;[ \t]*$/) next
    gsub(/[ \t]+/, " ", text)
    gsub(/^ | ?; ?$/, "", text)
    if (text ~ /^RILL_API/) function_row(text); else enum_row(text)
    text = ""
  }
  END { exit failed }' "$@"
