#!/bin/sh
# functions.sh HEADER...: what the public headers declare, as rows for src/ffi/declarations.c: exported
# functions, enums with their constants, structs with their fields, callbacks, constants. Names and types
# are read here; sizes, offsets and values are left to the compiler.
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
  function fail(message) {
    print "functions: " header ": " message >"/dev/stderr"
    exit failed = 1
  }
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
    if (text ~ /[(][*]/) fail(text ": a callback needs a typedef")
    name = substr(text, 1, index(text, "(") - 1)
    sub(/.*[ *]/, "", name)
    printf "FUNCTION(%s, \"%s\")\n", name, text
  }
  # "typedef void (*name)(int a)" has the type "void (*)(int a)".
  function callback_row(text,   name) {
    sub(/^typedef /, "", text)
    match(text, /[(][*][a-z0-9_]+/)
    name = substr(text, RSTART + 2, RLENGTH - 2)
    sub(name, "", text)
    printf "CALLBACK(\"%s\", \"%s\")\n", name, text
  }
  # The parts of "typedef struct name { ...; ... } name" that separator divides; sets name.
  function split_body(text, separator, items) {
    name = text
    sub(/.*[}] */, "", name)
    gsub(/^[^{]*[{] *|[,; ]*[}].*$/, "", text)
    return split(text, items, separator)
  }
  function enum_rows(text,   n, i, items, pair) {
    n = split_body(text, " *, *", items)
    printf "ENUM(\"%s\")\n", name
    for (i = 1; i <= n; i++) {
      split(items[i], pair, / *= */)
      if (pair[2] !~ /^-?[0-9]+$/) fail(pair[1] " has no explicit value")
      printf "VALUE(%s)\n", pair[1]
    }
  }
  function struct_rows(text,   n, i, items) {
    n = split_body(text, " *; *", items)
    printf "%s(%s, \"%s\")\n", text ~ /^typedef struct/ ? "STRUCT" : "UNION", name,
      items[1] == "size_t struct_size" ? name "_init" : ""
    for (i = 1; i <= n; i++) field_rows(items[i])
  }
  # "const char *a, *b[4]" are two fields, of the types "const char *" and "const char *[4]".
  function field_rows(text,   n, i, items, type, size) {
    if (text ~ /[(]/) fail(text ": a callback needs a typedef")
    n = split(text, items, / *, */)
    type = items[1]
    sub(/[ *]*[A-Za-z0-9_]+(\[[0-9]+\])?$/, "", type)
    items[1] = substr(items[1], length(type) + 1)
    for (i = 1; i <= n; i++) {
      size = match(items[i], /\[/) ? substr(items[i], RSTART) : ""
      sub(/\[.*/, "", items[i])
      match(items[i], /[A-Za-z0-9_]+$/)
      printf "FIELD(%s, %s, \"%s\")\n", name, substr(items[i], RSTART),
        type field_stars(substr(items[i], 1, RSTART - 1)) size
    }
  }
  function field_stars(stars) {
    gsub(/ /, "", stars)
    return stars ? " " stars : ""
  }
  # Macros without parameters that stand for a number.
  function constant_row(line,   words) {
    if (split(line, words, /[ \t]+/) < 3 || words[2] ~ /[(]|_INIT$|^RILL_API$/) return
    if (words[3] !~ /^"/ && line !~ /,/) printf "CONSTANT(%s)\n", words[2]
  }
  FNR == 1 {
    header = FILENAME
    sub(/.*include\//, "", header)
    name = header
    gsub(/[^a-z0-9_]/, "_", name)
    printf "HEADER(%s, \"%s\")\n", name, header
    text = ""
  }
  {
    line = code($0)
    if (line ~ /^#define RILL_/) constant_row(line)
    if (line ~ /^[ \t]*#/) next
    if (text == "" && line !~ /^(RILL_API|typedef) /) next
    text = text " " line
    if (text !~ /;[ \t]*$/ || gsub(/[{]/, "&", text) > gsub(/[}]/, "&", text)) next
    gsub(/[ \t]+/, " ", text)
    gsub(/^ | ?; ?$/, "", text)
    gsub(/[*] /, "*", text)
    gsub(/[(] /, "(", text)
    if (text ~ /^RILL_API/) function_row(text)
    else if (text ~ /^typedef enum/) enum_rows(text)
    else if (text ~ /[{]/) struct_rows(text)
    else if (text ~ /[(][*]/) callback_row(text)
    text = ""
  }
  END { exit failed }' "$@"
