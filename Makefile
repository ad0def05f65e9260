# rill: build, test, install. GNU make 4.3 or later. `make help` lists the targets; the long recipes
# live in build-aux/. Objects go to $(B), the libraries to lib/ (to $(B)/lib where B is not build).

.DEFAULT_GOAL := all
MAKEFLAGS     += --no-builtin-rules
.SUFFIXES:

CC        ?= cc
PREFIX    ?= /usr/local
LIBDIR    ?= $(PREFIX)/lib
INCLUDES  ?= $(PREFIX)/include
DESTDIR   ?=
B         ?= build
# openblas, or reference for the netlib one
BLAS      ?= openblas
# a prefix for every exported symbol, so that two copies of rill can live in one program
PREFIX_SYMBOLS ?=
OBJCOPY   ?= objcopy
NM        ?= nm
OPT       ?= -O2 -g
KERNEL_OPT ?= -O2
# WERROR=1 turns warnings into errors, V=1 shows the commands
WERROR    ?=
V         ?=
SANITIZE  ?=

# `make deps demo` may start on a machine that has make and nothing else, so what make finds out
# about compiler and libraries must wait until deps has run: a second make does the rest.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
REST := $(filter-out deps,$(MAKECMDGOALS))
.PHONY: deps $(REST)
deps:
	@build-aux/deps.sh $(BLAS)
ifneq ($(REST),)
$(firstword $(REST)): deps
	+@$(MAKE) --no-print-directory $(REST)
$(wordlist 2,$(words $(REST)),$(REST)): $(firstword $(REST))
	@:
endif
else

# ---- what is built, and how ----------------------------------------------------------------------

VERSION   := $(shell sed -n 's/.*RILL_VERSION_STRING "\(.*\)".*/\1/p' include/rill/base.h)
SOVERSION := $(shell sed -n 's/.*define RILL_ABI_VERSION \([0-9]*\).*/\1/p' include/rill/base.h)
CC_ID     := $(shell $(CC) --version 2>&1 | head -n 1)
ARCH      := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)

ifeq ($(BLAS),reference)
BLAS_PC     := $(shell pkg-config --exists blas-netlib 2>/dev/null && echo blas-netlib)
BLAS_LIBS   := $(shell pkg-config --libs blas-netlib 2>/dev/null || echo -lblas)
else
BLAS_PC     := $(shell pkg-config --exists openblas 2>/dev/null && echo openblas)
BLAS_LIBS   := $(shell pkg-config --libs openblas 2>/dev/null || echo -lopenblas)
endif
BLAS_CFLAGS := $(if $(BLAS_PC),$(shell pkg-config --cflags $(BLAS_PC)))
CHECK_CFLAGS = $(eval CHECK_CFLAGS := $$(shell pkg-config --cflags check))$(CHECK_CFLAGS)
CHECK_LIBS   = $(eval CHECK_LIBS := $$(shell pkg-config --libs check))$(CHECK_LIBS)

WARN      := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wpointer-arith -Wvla $(if $(WERROR),-Werror)
PUBLIC    := -std=c11 $(OPT) $(WARN) -Iinclude -pthread $(SANITIZE)
# A program in one file that sees the public headers and the static library only.
CLIENT     = $(CC) $(PUBLIC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(filter %.c,$^) $(A) $(LDFLAGS) $(LIBS) -o $@
COMPILE   := $(CC) $(PUBLIC) -Isrc -DRILL_BUILDING -D_GNU_SOURCE $(BLAS_CFLAGS) -fPIC \
             -fvisibility=hidden -ffunction-sections -fdata-sections $(CPPFLAGS) $(CFLAGS)
LIBS      := $(BLAS_LIBS) -lm -pthread

# The option, where the compiler knows it: clang lacks some of gcc's.
accepted   = $(shell echo | $(CC) -Werror $(1) -E - >/dev/null 2>&1 && echo $(1))

# Kernels: vectorised, with IEEE special values kept (no -ffast-math). Each file of src/pure/ is
# compiled for each of its types and each instruction set. A file that needs other types than f32
# and f64 says so here.
KERNEL_TYPES_window := f32 f64 i8 u8 i16 i32 i64
KERNEL_TYPES_window_call := f32
KERNEL_TYPES_window_loops := i8 i16 i32 i64
KERNEL_TYPES_window_move := f32
KERNEL_TYPES_window_order := f32
KERNEL_TYPES_window_plan := f32
KERNEL_TYPES_window_quantile := f32
KERNEL_TYPES_window_rank := f32
KERNEL_TYPES_window_run := f32
KERNEL_TYPES_window_sum := f32
KERNEL_TYPES_window_sum_backward := f32
KERNEL_TYPES_window_sum_run := f32
# -O2 is as fast as -O3 where `omp simd` says what to vectorise, at half the size; register tiles want
# their loops unrolled, which -O3 does.
KERNEL_OPT_matmul := -O3
KERNEL_OPT_selective_scan := -O3
# Kernels call nothing that unwinds, so their unwind tables (a tenth of the library) are left out. Jumps that
# are no loop's need no aligned target (20 kB).
KERNEL_FLAGS   := $(KERNEL_OPT) -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=fast \
                  -fno-asynchronous-unwind-tables $(call accepted,-fno-align-jumps)
KERNEL_TYPES   := f32 f64
SETS           := baseline
# gcc follows each loop by one over half vectors. With the baseline's short ones that saves next to
# nothing, and makes the library 30 kB larger.
KERNEL_baseline := $(call accepted,--param=vect-epilogues-nomask=0)
# The scan's lanes fill whole vectors; -O3 would still unroll the rest of each loop, 37 kB of it.
KERNEL_OPT_selective_scan += $(call accepted,--param=max-completely-peeled-insns=16)
ifeq ($(ARCH),x86_64)
COMPILE        += -DRILL_ALL_KERNELS
SETS           := baseline avx2 avx512
KERNEL_avx2    := -mavx2 -mfma -mf16c
KERNEL_avx512  := -march=x86-64-v4 -mprefer-vector-width=512
endif

PURE_SRC  := $(wildcard src/pure/*.c)
SRC       := $(filter-out $(PURE_SRC),$(wildcard src/*/*.c src/*/*/*.c))
types_of   = $(or $(KERNEL_TYPES_$(basename $(notdir $(1)))),$(KERNEL_TYPES))
PURE_OBJ  := $(foreach f,$(PURE_SRC),$(foreach s,$(SETS),$(foreach t,$(call types_of,$(f)),\
               $(f:src/%.c=$(B)/obj/%.$(t).$(s).o))))
OBJ       := $(SRC:src/%.c=$(B)/obj/%.o)
ALL_OBJ   := $(OBJ) $(PURE_OBJ)

NAME      := $(PREFIX_SYMBOLS)rill
L         := $(if $(filter build,$(B)),lib,$(B)/lib)
A         := $(L)/lib$(NAME).a
SO        := $(L)/lib$(NAME).so
HEADERS   := include/rill.h $(wildcard include/rill/*.h include/rill/*/*.h)

Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)
SUBMAKE    = +$(Q)$(MAKE) --no-print-directory

.PHONY: all clean help FORCE
all: $(A) $(SO) ## both libraries (the default)

# A stamp holds what its dependents were built with, and is touched only when that changes.
define stamp
	@mkdir -p $(@D); printf '%s\n' '$(strip $(1))' | cmp -s - $@ || printf '%s\n' '$(strip $(1))' >$@
endef

$(B)/flags: FORCE
	$(call stamp,$(CC_ID) | $(COMPILE) | $(KERNEL_FLAGS) $(KERNEL_OPT_matmul) $(KERNEL_OPT_selective_scan) | $(KERNEL_baseline) | $(KERNEL_avx2) | $(KERNEL_avx512))

$(B)/objects: FORCE
	$(call stamp,$(ALL_OBJ) | $(LIBS) | $(LDFLAGS))

define kernel_rule
$(B)/obj/pure/%.$(1).$(2).o: src/pure/%.c $(B)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,'$$< $(1) $(2)')$$(COMPILE) $$(KERNEL_FLAGS) $$(KERNEL_OPT_$$*) $$(KERNEL_$(2)) \
	  -DKERNEL_$$(shell echo $(1) | tr a-z A-Z) -DKERNEL_$$(shell echo $(2) | tr a-z A-Z) \
	  -MMD -MP -c $$< -o $$@
endef
ALL_TYPES := $(sort $(foreach f,$(PURE_SRC),$(call types_of,$(f))))
$(foreach s,$(SETS),$(foreach t,$(ALL_TYPES),$(eval $(call kernel_rule,$(t),$(s)))))

$(B)/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -MMD -MP -c $< -o $@

# All objects with their internal names visible: what the white-box tests link.
$(B)/librill-internal.a: $(ALL_OBJ) $(B)/objects
	$(Q)rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $(ALL_OBJ)

# One relocatable object in which only the public names are global.
$(B)/$(NAME).o: $(ALL_OBJ) $(B)/objects
	$(call say,LD,$@)build-aux/relocatable.sh '$(LD)' '$(OBJCOPY)' '$(NM)' '$(PREFIX_SYMBOLS)' \
	  $@ $(ALL_OBJ)

$(A): $(B)/$(NAME).o
	@mkdir -p $(@D); rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $<

# The file bears the soname, so that programs linked against lib/ also run from there.
# Its functions call each other directly, not by the table through which a program could replace one.
# The sanitizers' symbols come with the program, hence no -z defs there.
$(SO): $(SO).$(SOVERSION)
	@ln -sf $(notdir $<) $@
$(SO).$(SOVERSION): $(B)/$(NAME).o build-aux/rill.map
	@mkdir -p $(@D)
	$(Q)sed 's/rill_/$(PREFIX_SYMBOLS)&/' build-aux/rill.map >$(B)/$(NAME).map
	$(call say,LINK,$@)$(CC) -shared $(SANITIZE) -Wl,-soname,$(notdir $@) -Wl,-Bsymbolic-functions \
	  -Wl,--version-script=$(B)/$(NAME).map -Wl,-z,relro $(if $(SANITIZE),,-Wl,-z,defs) $(LDFLAGS) \
	  -o $@ $< $(LIBS)

clean: ## remove all that was built
	rm -rf $(B) lib/lib*

# ---- examples ------------------------------------------------------------------------------------

EXAMPLES := $(patsubst %.c,$(B)/%,$(wildcard examples/*.c))
.PHONY: deps examples demo
deps: ## install what is missing with apt-get: compiler, OpenBLAS, Check, the KJV text
examples: $(EXAMPLES) ## the example programs
$(B)/examples/%: examples/%.c $(A) $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CLIENT)

demo: $(B)/examples/charlm ## train, evaluate, sample a language model (TEXT=/path for your own text)
	@CHARLM=$< TEXT='$(TEXT)' examples/demo.sh

# ---- tests ---------------------------------------------------------------------------------------

# tests/<floor>/test_*.c are Check programs, tests/<dir>/test_*.sh scripts that end with Check's line.
# Names that end in _slow stay out of check-quick and so out of the sanitizer runs.
TEST_BIN     := $(patsubst %.c,$(B)/%,$(wildcard tests/*/test_*.c tests/*/*/test_*.c))
TEST_SCRIPTS := $(wildcard tests/*/test_*.sh)
# Tests of pure functions have no threads: ThreadSanitizer would only take its time over them.
QUICK_BIN    := $(filter-out %_slow $(if $(findstring thread,$(SANITIZE)),$(B)/tests/pure/%),$(TEST_BIN))
RUN           = CC='$(CC)' B='$(B)' LIBS='$(LIBS)' BLAS_CFLAGS='$(BLAS_CFLAGS)' build-aux/run-tests.sh

.PHONY: tests check check-quick check-embed check-headers check-asan-ubsan check-tsan \
        check-valgrind oracle bench fuzz
tests: $(TEST_BIN) ## build the test programs

$(B)/tests/%: tests/%.c $(B)/librill-internal.a $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -Itests $(CHECK_CFLAGS) -MMD -MP -MF $@.d $< $(B)/librill-internal.a \
	  $(LDFLAGS) $(CHECK_LIBS) $(LIBS) -o $@

check: $(TEST_BIN) all embed-stage $(EXAMPLES) ## all tests
	@$(RUN) $(TEST_BIN) $(TEST_SCRIPTS)
check-quick: $(QUICK_BIN) ## the test programs but the slow ones
	@$(RUN) $(QUICK_BIN)
check-embed: embed-stage ## clients: shared, static, amalgamated, prefixed, loaded 100 times
	@$(RUN) tests/embed/test_embed.sh
check-headers: ## each public header alone, C11 and C++17, gcc and clang
	@$(RUN) tests/abi/test_headers.sh

# What the embedding tests compile against: two installations, one with prefixed names.
STAGE := $(abspath $(B))/embed/stage
.PHONY: embed-stage
embed-stage: amalgamation
	$(Q)rm -rf $(STAGE)
	$(SUBMAKE) install PREFIX=$(STAGE) DESTDIR= >/dev/null
	$(SUBMAKE) install PREFIX=$(STAGE) DESTDIR= PREFIX_SYMBOLS=two_ >/dev/null

# Each sanitizer has its own objects.
SANITIZED := OPT='-O1 -g -fno-omit-frame-pointer' KERNEL_OPT=-O2
check-asan-ubsan: ## the quick tests under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
	$(SUBMAKE) check-quick B=$(B)/asan $(SANITIZED) \
	  SANITIZE='-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all'
# setarch -R: older TSan runtimes cannot bear as much address randomisation as new kernels do.
# OpenBLAS's own threads are not instrumented, so it gets none.
check-tsan: export OPENBLAS_NUM_THREADS = 1
check-tsan: export RUNNER = setarch -R
check-tsan: ## the quick tests under ThreadSanitizer
	$(SUBMAKE) check-quick B=$(B)/tsan $(SANITIZED) SANITIZE=-fsanitize=thread
check-valgrind: export CK_FORK = no
check-valgrind: export OPENBLAS_NUM_THREADS = 1
check-valgrind: export RUNNER = valgrind -q --error-exitcode=99 --leak-check=full \
  --errors-for-leak-kinds=definite
check-valgrind: ## the quick tests under Valgrind
	$(SUBMAKE) check-quick

PYTHON ?= python3
oracle: $(B)/tests/ops/test_ops $(SO) ## compare with PyTorch, live (skipped where it is not installed)
	@if ! $(PYTHON) -c 'import torch, numpy' 2>/dev/null; then echo 'oracle: skipped, no PyTorch here'; \
	else $(PYTHON) tests/oracle/fuzz.py $(SO) && $(PYTHON) tests/oracle/run.py $< $(B)/oracle; fi

BENCH := $(B)/bench/bench
$(BENCH): $(wildcard bench/*.[ch]) $(A) $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,bench/*.c)$(CLIENT)
bench: all $(BENCH) ## measure beside the peers (CASE=pattern for some)
	@RILL_LIBRARY=$(SO) B=$(B) $(PYTHON) bench/run.py $(if $(CASE),'$(CASE)')

# Each tests/fuzz/fuzz_*.c defines LLVMFuzzerTestOneInput; tests/fuzz/corpus/<name>/ holds its seeds.
FUZZ         := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 300
$(B)/fuzz/%: tests/fuzz/%.c $(B)/librill-internal.a $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -Itests $(CHECK_CFLAGS) -fsanitize=fuzzer $< $(B)/librill-internal.a \
	  $(LIBS) -o $@
fuzz: ## libFuzzer on readers, calls and windows, FUZZ_SECONDS (300) each; needs clang
	$(SUBMAKE) fuzz-run CC=clang B=$(B)/fuzz $(SANITIZED) \
	  SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize=fuzzer-no-link'
.PHONY: fuzz-run
fuzz-run: $(FUZZ)
	@build-aux/fuzz.sh $(FUZZ_SECONDS) $(FUZZ)

# ---- checks of the sources and of the ABI ---------------------------------------------------------

.PHONY: lint format functions abi abi-update abi-baseline amalgamation install uninstall
# Golden values are written by scripts, and stay as these leave them.
FORMATTED = $(filter-out tests/golden/%,$(HEADERS) $(wildcard src/*/*.[ch] src/*/*/*.[ch] \
              tests/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch] examples/*.c examples/*/*.c \
              bench/*.[ch]))
lint: ## formatting, floors, file lengths, shell scripts
	@build-aux/lint.sh $(FORMATTED)
format: ## clang-format the sources in place
	$(Q)$$(build-aux/lint.sh --formatter) -i $(FORMATTED)
functions: ## write src/ffi/functions.inc, the declarations in the API's JSON
	@mkdir -p $(B)
	$(Q)build-aux/functions.sh $(sort $(filter-out include/rill.h,$(HEADERS))) >$(B)/functions.inc
	$(Q)cp $(B)/functions.inc src/ffi/functions.inc

abi: $(SO) ## exports against build-aux/symbols.txt, imports, size
	@NM='$(NM)' build-aux/abi.sh check $(SO) $(B)/$(NAME).o '$(PREFIX_SYMBOLS)'
abi-update: $(SO) ## write the exports, new ones with this version, to build-aux/symbols.txt
	@NM='$(NM)' build-aux/abi.sh update $(SO) $(VERSION)
abi-baseline: $(SO) ## write tests/abi/baseline.abi, which `make abi` then compares with
	@build-aux/abi.sh baseline $(SO)

AMALGAMATION := $(B)/amalgamation
amalgamation: $(AMALGAMATION)/$(PREFIX_SYMBOLS)stamp ## build/amalgamation/rill.c and rill.h
$(AMALGAMATION)/$(PREFIX_SYMBOLS)stamp: $(B)/librill-internal.a $(HEADERS) build-aux/amalgamate.awk \
                                        build-aux/amalgamate.sh
	@mkdir -p $(@D)
	$(call say,GEN,$(@D)/rill.c)build-aux/amalgamate.sh '$(NM)' '$(PREFIX_SYMBOLS)' $(@D) $< $(SRC) -- \
	  $(foreach f,$(PURE_SRC),$(f):$(subst $() ,:,$(call types_of,$(f))))
	@touch $@

# ---- installation ---------------------------------------------------------------------------------

# A prefixed copy has its own file names: libfoo_rill.so, foo_rill.pc, include/foo_rill/rill.h.
INCLUDEDIR := $(INCLUDES)$(if $(PREFIX_SYMBOLS),/$(NAME))
install: all ## to PREFIX (/usr/local), below DESTDIR
	$(Q)install -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig
	$(Q)for h in $(HEADERS:include/%=%); do \
	  install -m 644 -D include/$$h $(DESTDIR)$(INCLUDEDIR)/$$h || exit; done
	$(if $(PREFIX_SYMBOLS),$(Q)NM='$(NM)' build-aux/prefix-headers.sh $(B)/$(NAME).o \
	  $(PREFIX_SYMBOLS) $(DESTDIR)$(INCLUDEDIR))
	$(Q)install -m 644 $(A) $(DESTDIR)$(LIBDIR)
	$(Q)install -m 755 $(SO).$(SOVERSION) $(DESTDIR)$(LIBDIR)/lib$(NAME).so.$(VERSION)
	$(Q)ln -sf lib$(NAME).so.$(VERSION) $(DESTDIR)$(LIBDIR)/lib$(NAME).so.$(SOVERSION)
	$(Q)ln -sf lib$(NAME).so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/lib$(NAME).so
	$(Q)sed -e 's|@NAME@|$(NAME)|' -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
	  -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	  -e 's|@BLAS_LIBS@|$(BLAS_LIBS)|' pkgconfig/rill.pc.in \
	  >$(DESTDIR)$(LIBDIR)/pkgconfig/$(NAME).pc
	@echo 'installed $(NAME) $(VERSION) to $(DESTDIR)$(PREFIX)'
uninstall: ## remove what install put there
	$(Q)rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(HEADERS:include/%=%)) \
	  $(DESTDIR)$(INCLUDEDIR)/rill/prefix.h $(DESTDIR)$(LIBDIR)/lib$(NAME).a \
	  $(DESTDIR)$(LIBDIR)/lib$(NAME).so $(DESTDIR)$(LIBDIR)/lib$(NAME).so.$(SOVERSION) \
	  $(DESTDIR)$(LIBDIR)/lib$(NAME).so.$(VERSION) $(DESTDIR)$(LIBDIR)/pkgconfig/$(NAME).pc
	$(Q)rmdir $(addprefix $(DESTDIR)$(INCLUDEDIR),/rill/pure /rill $(if $(PREFIX_SYMBOLS),/)) \
	  2>/dev/null || :

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' Makefile
	@echo '  with any of them: CC=clang WERROR=1 B=build/clang V=1 BLAS=reference PREFIX_SYMBOLS=foo_'

-include $(TEST_BIN:=.d) $(EXAMPLES:=.d) $(BENCH:=.d) $(ALL_OBJ:.o=.d)
endif
