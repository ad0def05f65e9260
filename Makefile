# rill: build, test, install. Objects go to build/, libraries to lib/. Targets are listed by
# `make help`; the long recipes live in build-aux/*.sh.

CC       ?= cc
AR       ?= ar
PREFIX   ?= /usr/local
DESTDIR  ?=
BLAS     ?= openblas
WERROR   ?=
SANITIZE ?=
B        ?= build

VERSION := $(shell sed -n 's/.*RILL_VERSION_STRING "\(.*\)".*/\1/p' include/rill/base.h)
ARCH    := $(shell $(CC) -dumpmachine | cut -d- -f1)

ifeq ($(BLAS),reference)
BLAS_CFLAGS := $(shell pkg-config --cflags blas-netlib 2>/dev/null || pkg-config --cflags blas 2>/dev/null)
BLAS_LIBS   := $(shell pkg-config --libs blas-netlib 2>/dev/null || echo -lblas)
else
BLAS_CFLAGS := $(shell pkg-config --cflags openblas 2>/dev/null)
BLAS_LIBS   := $(shell pkg-config --libs openblas 2>/dev/null || echo -lopenblas)
endif

OPT      ?= -O2 -g
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla $(if $(WERROR),-Werror)
CPPFLAGS += -Iinclude -Isrc -DRILL_BUILDING -D_GNU_SOURCE $(BLAS_CFLAGS)
CFLAGS_  := -std=c11 $(OPT) $(WARN) -fPIC -fvisibility=hidden -pthread $(SANITIZE) $(CFLAGS)

# Kernels: vectorised, with IEEE special values kept (no -ffast-math).
KERNEL_FLAGS := -O3 -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=fast
KERNEL_baseline :=
ifneq ($(filter x86_64,$(ARCH)),)
SETS := baseline avx2 avx512
CPPFLAGS += -DRILL_ALL_KERNELS
KERNEL_baseline := -msse2
KERNEL_avx2     := -mavx2 -mfma -mf16c
KERNEL_avx512   := -march=x86-64-v4 -mprefer-vector-width=512
else
SETS := baseline
endif
upper = $(subst f,F,$(subst baseline,BASELINE,$(subst avx,AVX,$(1))))

PURE_SRC := $(wildcard src/pure/*.c)
SRC      := $(filter-out $(PURE_SRC),$(wildcard src/*/*.c) $(wildcard src/*/*/*.c))
PURE_OBJ := $(foreach s,$(SETS),$(foreach t,f32 f64,$(PURE_SRC:src/%.c=$(B)/obj/%.$(t).$(s).o)))
OBJ      := $(SRC:src/%.c=$(B)/obj/%.o)
ALL_OBJ  := $(OBJ) $(PURE_OBJ)
LIBS     := $(BLAS_LIBS) -lm -pthread

.PHONY: all clean
all: lib/librill.a lib/librill.so

define kernel_rule
$(B)/obj/pure/%.$(1).$(2).o: src/pure/%.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS_) $$(KERNEL_FLAGS) $$(KERNEL_$(2)) -DKERNEL_$$(call upper,$(1)) \
	  -DKERNEL_$$(call upper,$(2)) -MMD -MP -c $$< -o $$@
endef
$(foreach s,$(SETS),$(foreach t,f32 f64,$(eval $(call kernel_rule,$(t),$(s)))))

$(B)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_) -MMD -MP -c $< -o $@

# All objects with their internal names visible: what the white-box tests link.
$(B)/librill-internal.a: $(ALL_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

lib/librill.a: $(B)/librill-internal.a
	cp $< $@

lib/librill.so: $(ALL_OBJ)
	$(CC) -shared $(SANITIZE) -o $@ $^ $(LIBS)

clean:
	rm -rf $(B) lib/librill*



# ---- tests ----
TEST_SRC := $(wildcard tests/*/test_*.c)
TEST_BIN := $(TEST_SRC:tests/%.c=$(B)/tests/%)
CHECK_CFLAGS = $(shell pkg-config --cflags check)
CHECK_LIBS   = $(shell pkg-config --libs check)

.PHONY: tests check
tests: $(TEST_BIN)

$(B)/tests/%: tests/%.c $(B)/librill-internal.a tests/main.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS_) $(CHECK_CFLAGS) -MMD -MP -MF $@.d $< $(B)/librill-internal.a \
	  $(CHECK_LIBS) $(LIBS) -o $@

check: $(TEST_BIN)
	@build-aux/run-tests.sh $(TEST_BIN)

-include $(TEST_BIN:=.d)
-include $(ALL_OBJ:.o=.d)
