#!/bin/sh
# Clients built in every way the README names, against what `make embed-stage` installed: shared,
# static, two copies of which one has prefixed names, amalgamated, and loaded 100 times.
# Ends with a line in the manner of Check.
b=${B:-build} cc=${CC:-cc}
stage=$(cd "$b" && pwd)/embed/stage dir=$b/embed
export PKG_CONFIG_PATH="$stage/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
flags='-D_GNU_SOURCE -Wall -Wextra -Werror -g'
checks=0 failures=0

try() {
  checks=$((checks + 1))
  echo "$1"
  sh -ec "$2" && return
  failures=$((failures + 1))
  echo "FAIL $1: $2"
}

# --static names what librill.a needs besides; the archive itself is named in full, since the linker
# would take the shared library that lies beside it.
static='pkg-config --static --libs'
try shared "$cc $flags tests/embed/client.c $(pkg-config --cflags --libs rill) \
  -Wl,-rpath,$stage/lib -o $dir/shared && $dir/shared && ldd $dir/shared | grep -q librill.so.0"
try static "$cc $flags tests/embed/client.c $(pkg-config --cflags rill) \
  $($static rill | sed 's/-lrill/-l:librill.a/') -lm -o $dir/static && $dir/static"
try 'two copies' "$cc $flags -c tests/embed/two.c $(pkg-config --cflags two_rill) -o $dir/two.o &&
  $cc $flags tests/embed/one.c $dir/two.o $(pkg-config --cflags rill) \
  $($static rill | sed 's/-lrill/-l:librill.a/') \
  $($static two_rill | sed 's/-ltwo_rill/-l:libtwo_rill.a/') -lm -o $dir/both && $dir/both"
try 'two shared copies' "$cc $flags tests/embed/one.c $(pkg-config --cflags rill) $dir/two.o \
  $(pkg-config --libs rill two_rill) -lm -Wl,-rpath,$stage/lib -o $dir/both && $dir/both"

try 'only rill_* is global in librill.a' \
  "! nm -g --defined-only $stage/lib/librill.a | awk 'NF == 3 && \$3 !~ /^rill_/' | grep ."
try 'only two_rill_* is global in libtwo_rill.a' \
  "! nm -g --defined-only $stage/lib/libtwo_rill.a | awk 'NF == 3 && \$3 !~ /^two_rill_/' | grep ."

compilers=
for c in "${cc%% *}" gcc clang; do
  path=$(readlink -f "$(command -v "$c")") || continue
  case " $compilers " in *" $path "*) ;; *) compilers="$compilers $path" ;; esac
done
for c in $compilers; do
  try "amalgamated, $c" "$c -c $b/amalgamation/rill.c -o $dir/rill.o $BLAS_CFLAGS &&
    $cc $flags -I$b/amalgamation tests/embed/client.c $dir/rill.o $LIBS -o $dir/amalgamated &&
    $dir/amalgamated"
  try "only rill_* is global in rill.o, $c" \
    "! nm -g --defined-only $dir/rill.o | awk '\$3 !~ /^rill_/' | grep ."
done

try loop "$cc $flags tests/embed/loop.c $(pkg-config --cflags rill) -pthread -ldl -o $dir/loop &&
  $dir/loop $stage/lib/librill.so"

echo "$(((checks - failures) * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
