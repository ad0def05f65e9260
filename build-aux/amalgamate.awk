# Writes the amalgamation: with mode=header rill.h, with mode=source rill.c from the arguments
# "SOURCE... -- KERNEL:TYPE:TYPE...". See build-aux/amalgamate.sh.
#
# rill.c holds the ordinary sources once, then includes itself for each type and instruction set to
# compile the kernels, which it holds once, too. Static names, types and enumerators that two files
# share are renamed for the length of each file, and macros of a file end with it. What this cannot
# see must be distinct: static names that macros put together, and macros of pure/'s headers.

BEGIN {
  if (mode == "header") write_header()
  else write_source()
  exit failed
}

function fail(message) {
  print "amalgamate: " message >"/dev/stderr"
  failed = 1
  exit 1
}

function copy(file,   line) {
  while ((getline line <file) > 0) print line
  close(file)
}

# The file that `#include "x"` means in `line` of file `from`; "" where line is no such thing.
function included(line, from,   name, path, folder) {
  if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/) return ""
  name = line
  sub(/^[^"]*"/, "", name)
  sub(/".*/, "", name)
  folder = from
  sub(/[^\/]*$/, "", folder)
  if (exists(path = "src/" name) || exists(path = "include/" name) || exists(path = folder name))
    return path
  fail(from ": cannot find " name)
}

function exists(path,   line, there) {
  there = (getline line <path) >= 0
  close(path)
  return there
}

function is_public(path) { return path ~ /^include\// }

# ---- rill.h -----------------------------------------------------------------------------------------

function write_header() {
  print "/* rill " version() ": the whole public API in one header. Generated; see rill.c. */"
  if (names) {
    print "#ifndef RILL_PREFIXED_NAMES"
    print "#define RILL_PREFIXED_NAMES"
    copy(names)
    print "#endif"
  }
  header("include/rill.h")
}

function header(file,   line, path) {
  if (seen[file]++) return
  if (!exists(file)) fail("cannot read " file)
  while ((getline line <file) > 0) {
    path = included(line, file)
    if (path) header(path)
    else print line
  }
  close(file)
}

function version(   line) {
  while ((getline line <"include/rill/base.h") > 0)
    if (line ~ /RILL_VERSION_STRING/) break
  close("include/rill/base.h")
  gsub(/^[^"]*"|".*/, "", line)
  return line
}

# ---- rill.c -----------------------------------------------------------------------------------------

function write_source(   i, n, parts, file) {
  for (i = 1; i < ARGC && ARGV[i] != "--"; i++) sources[++source_count] = ARGV[i]
  for (i++; i < ARGC; i++) {
    n = split(ARGV[i], parts, ":")
    kernels[++kernel_count] = parts[1]
    for (; n > 1; n--) {
      type_of[parts[1], parts[n]] = 1
      if (!known[parts[n]]++) types[++type_count] = parts[n]
    }
  }
  read_names()
  for (i = 1; i <= source_count; i++) scan(sources[i])
  for (i = 1; i <= kernel_count; i++) scan(kernels[i])

  print "/* rill " version() ", all of it in one file. Generated from the sources: change those instead."
  print " *"
  print " *   cc -O3 -fopenmp-simd -fno-math-errno -fno-trapping-math -c rill.c"
  print " *"
  print " * compiles it; link with a CBLAS, -lm and -pthread. A bare `cc -c rill.c` works as well, with"
  print " * slower kernels. The file must be called rill.c, since it includes itself. GCC and clang compile"
  print " * the kernels for several instruction sets by themselves; the processor picks one at run time. */"
  print ""
  print "#ifndef RILL_PASS"
  print "#ifndef _GNU_SOURCE"
  print "#define _GNU_SOURCE 1"
  print "#endif"
  print "#define RILL_BUILDING 1"
  print "#if defined __x86_64__ && defined __GNUC__ && !defined RILL_ALL_KERNELS"
  print "#define RILL_ALL_KERNELS 1"
  print "#endif"
  print "#include \"rill.h\""
  print ""
  copy(names)
  print ""
  print "#pragma GCC diagnostic ignored \"-Wunused-function\""
  print "#pragma GCC visibility push(hidden)"
  for (i = 1; i <= source_count; i++) source(sources[i])

  # Guarded headers that only kernels use are compiled here, for the baseline.
  for (i = 1; i <= kernel_count; i++) kernel_headers(kernels[i], kernels[i])
  passes()
  in_pass = 1
  print "#pragma GCC visibility pop"
  print ""
  print "#else /* RILL_PASS: the kernels, for one type and one instruction set */"
  for (i = 1; i <= pass_header_count; i++) {
    file = pass_headers[i]
    print ""
    print "/* ---- " file " ---- */"
    print_types(file)
    macro_count = 0
    body(file, 0)
    print "#endif"
    for (; macro_count; macro_count--) pass_macros[++pass_macro_count] = macros[macro_count]
  }
  for (i = 1; i <= kernel_count; i++) {
    print_types(kernels[i])
    source(kernels[i])
    print "#endif"
  }
  for (i = 1; i <= pass_macro_count; i++) print "#undef " pass_macros[i]
  print ""
  print "#endif"
}

# The names that the files share: a file's own of the same spelling gives way like any other.
function read_names(   line, words) {
  while ((getline line <names) > 0) {
    split(line, words, " ")
    if (words[2] ~ /^rill_/) continue
    shared[words[2]] = words[3]
    owners[words[2]]++
  }
  close(names)
}

# Counts in how many files each name is a file's own, and finds the line after which a file's includes
# are over (and no #if is open): there its renames begin.
function scan(file,   line, n, depth, pending, code, in_enum) {
  while ((getline line <file) > 0) {
    n++
    if (line ~ /^[ \t]*#[ \t]*if/) depth++
    if (line ~ /^[ \t]*#[ \t]*endif/) depth--
    if (line ~ /^[ \t]*#[ \t]*include/ && !code) pending = 1
    if (pending && !depth) {
      includes_end[file] = n
      pending = 0
    }
    if (add_own(file, own_name(line))) code = 1
    if (line ~ /^(typedef )?enum [A-Za-z_0-9() ]*\{/) {
      in_enum = 1
      sub(/^[^{]*\{/, "", line)
    }
    if (in_enum) {
      code = 1
      add_enumerators(file, line)
      in_enum = line !~ /\}/
    }
  }
  close(file)
}

function add_own(file, name) {
  if (!name) return 0
  if (!has_own[file, name]++) {
    owners[name]++
    own[file] = own[file] " " name
  }
  return 1
}

# Those in a line of an enum's body, `A, B = 1, /* text */` or `L(c) = 2 };`.
function add_enumerators(file, line,   i, n, parts) {
  gsub(/\/\*[^*]*(\*\/|$)|\}.*/, "", line)
  n = split(line, parts, ",")
  for (i = 1; i <= n; i++) {
    sub(/^[ ]*(L\()?/, "", parts[i])
    if (parts[i] ~ /^[A-Za-z_]/) add_own(file, first_word(parts[i]))
  }
}

# The name that a line at the left margin gives to a static function, a static object or a type.
function own_name(line,   name) {
  sub(/^__attribute__[ ]*\(\(.*\)\) static /, "static ", line)
  sub(/^INLINE /, "static ", line) # a macro of the kernels
  if (line ~ /^static / && line !~ /^static_assert/) {
    sub(/__attribute__[ ]*\(\(.*\)\)/, "", line)
    # In kernels names are written L(name); the one defined is followed by ( [ = or ;
    while (match(line, /L\([a-z_0-9]+\)/)) {
      name = substr(line, RSTART + 2, RLENGTH - 3)
      line = substr(line, RSTART + RLENGTH)
      if (line ~ /^[ ]*[(\[=;]/) return name
    }
    if (match(line, /[A-Za-z_][A-Za-z_0-9]*[ ]*[(\[=;]/)) return first_word(substr(line, RSTART))
    return ""
  }
  if (line ~ /^(typedef )?(struct|union|enum) L\([a-z_0-9]+\) \{/ || line ~ /^\} L\([a-z_0-9]+\);/) {
    match(line, /L\([a-z_0-9]+\)/)
    return substr(line, RSTART + 2, RLENGTH - 3)
  }
  if (line ~ /^(typedef )?(struct|union|enum) [A-Za-z_0-9]+ (\{|[A-Za-z_0-9]+;)/) {
    sub(/^typedef /, "", line)
    sub(/^[a-z]+ /, "", line)
    return first_word(line)
  }
  if (line ~ /^\} [A-Za-z_0-9]+(;|\[)/) return first_word(substr(line, 3))
  return ""
}

function first_word(s) {
  match(s, /^[A-Za-z_0-9]+/)
  return substr(s, 1, RLENGTH)
}

# A .c file: its renames after its includes, and at its end the #undefs.
function source(file) {
  print ""
  print "/* ---- " file " ---- */"
  macro_count = 0
  if (!includes_end[file]) renames(file, "#define")
  body(file, includes_end[file])
  for (; macro_count; macro_count--) print "#undef " macros[macro_count]
  renames(file, "#undef")
}

function renames(file, directive,   n, i, list, stem) {
  stem = file
  sub(/^src\//, "", stem)
  sub(/\.c$/, "", stem)
  gsub(/[^A-Za-z0-9]/, "_", stem)
  n = split(own[file], list, " ")
  for (i = 1; i <= n; i++)
    if (owners[list[i]] > 1) {
      if (directive == "#undef" || list[i] in shared) print "#undef", list[i]
      if (directive == "#define") print directive, list[i], list[i] "_of_" stem
      else if (list[i] in shared) print "#define", list[i], shared[list[i]]
    }
}

function body(file, renames_after,   line, path, name, n) {
  while ((getline line <file) > 0) {
    n++
    path = included(line, file)
    if (path) {
      if (!is_public(path)) inline_header(path)
    } else if (line ~ /^[ \t]*#[ \t]*include[ \t]*</) {
      if (!in_pass) print_default(line)
    } else if (file ~ /\.c$/ && line ~ /^extern .*;/) {
      if (!in_pass) print_default(line)
    } else print line
    if ((in_pass || file ~ /\.c$/) && line ~ /^[ \t]*#[ \t]*define[ \t]/) {
      name = line
      sub(/^[ \t]*#[ \t]*define[ \t]+/, "", name)
      name = first_word(name)
      if (name !~ /^_/) macros[++macro_count] = name
    }
    if (n == renames_after) renames(file, "#define")
  }
  close(file)
}

# What other libraries define must not be declared hidden.
function print_default(line) {
  print "#pragma GCC visibility push(default)"
  print line
  print "#pragma GCC visibility pop"
}

# A header with a guard is written once, one without (a list of rows, say) wherever it is included.
# Those of the kernels open each pass.
function inline_header(path) {
  if (emitted[path] || in_pass) return
  emitted[path] = guarded(path)
  print ""
  print "/* ---- " path " ---- */"
  body(path, 0)
}

function guarded(path,   line, first) {
  while ((getline line <path) > 0)
    if (line ~ /^#/) {
      first = line
      break
    }
  if ((getline line <path) <= 0) line = ""
  close(path)
  return first ~ /^#ifndef/ && line ~ /^#define/
}

# What kernels include or declare `extern`: system headers, foreign functions and guarded headers now,
# the others (written over `real`) in each pass, for the types of the kernels that use them.
function kernel_headers(file, kernel,   line, path, i, list, n) {
  while ((getline line <file) > 0) {
    if (line ~ /^([ \t]*#[ \t]*include[ \t]*<|extern .*;)/ && !emitted[line]++) print_default(line)
    path = included(line, file)
    if (path && !is_public(path)) list[++n] = path
  }
  close(file)
  for (i = 1; i <= n; i++) {
    path = list[i]
    if (guarded(path)) {
      inline_header(path)
      continue
    }
    if (is_pass_header[path, kernel]++) continue
    kernel_headers(path, kernel)
    if (!is_pass_header[path]++) pass_headers[++pass_header_count] = path
    for (line = 1; line <= type_count; line++)
      if (type_of[kernel, types[line]]) type_of[path, types[line]] = 1
  }
}

function print_types(file,   i, condition) {
  for (i = 1; i <= type_count; i++)
    if (type_of[file, types[i]])
      condition = condition (condition ? " || " : "") "defined KERNEL_" toupper(types[i])
  print ""
  print "#if " condition
}

function passes() {
  print ""
  print "/* ---- the kernels, once for each type and instruction set ---- */"
  print "#define RILL_PASS"
  pass("baseline", "", "")
  print "#if defined RILL_ALL_KERNELS"
  pass("avx2", "avx2,fma,f16c", "")
  # Features one by one rather than arch=x86-64-v4, with which clang keeps to 256 bits.
  pass("avx512", "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,lzcnt,movbe",
       ",prefer-vector-width=512")
  print "#endif"
  print "#undef RILL_PASS"
}

function pass(set, target, gcc_only,   i) {
  print ""
  if (target) {
    print "#if defined __clang__"
    print "#pragma clang attribute push(__attribute__((target(\"" target "\"))), apply_to = function)"
    print "#else"
    print "#pragma GCC push_options"
    print "#pragma GCC target(\"" target gcc_only "\")"
    print "#endif"
  }
  print "#define KERNEL_" toupper(set)
  for (i = 1; i <= type_count; i++) {
    print "#define KERNEL_" toupper(types[i])
    print "#include \"rill.c\""
    print "#undef KERNEL_" toupper(types[i])
  }
  print "#undef KERNEL_" toupper(set)
  if (target) {
    print "#if defined __clang__"
    print "#pragma clang attribute pop"
    print "#else"
    print "#pragma GCC pop_options"
    print "#endif"
  }
}
