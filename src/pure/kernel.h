/* How a raw-buffer kernel is written once and compiled many times.
 *
 * Every file of src/pure/ is compiled for each real type and each instruction set: the build (or the
 * amalgamation) defines one of KERNEL_F32, KERNEL_F64 and one of KERNEL_BASELINE, KERNEL_AVX2,
 * KERNEL_AVX512. There is no include guard: the amalgamation includes this once per pass.
 *
 * Within a pass
 *   real            float or double; where a kernel is compiled for other types (KERNEL_I8 and so on,
 *                   see the Makefile), `integer` is int8_t, uint8_t, int16_t, int32_t or int64_t
 *   L(name)         a name local to the pass: wrap every static function and type in it
 *   KERNEL(name, (parameters), (arguments)) { body }
 *                   defines the kernel, and in the baseline pass also the public function
 *                   rill_<name>_<type> that picks the processor's version from a table
 *   KERNEL_STATUS   likewise, for a kernel that returns rill_status
 * and a file undefines at its end whatever macros of its own it made. */

#include "rill/pure.h"
#include "base/base.h"

#undef real
#undef KERNEL_TYPE
#undef KERNEL_SET
#undef REAL_EPSILON
#undef REAL_INFINITY
#undef REAL_MAX
#undef R
#undef integer

#if defined KERNEL_F32
#define real          float
#define KERNEL_TYPE   f32
#define REAL_EPSILON  1.1920928955078125e-7f
#define REAL_INFINITY __builtin_inff()
#define REAL_MAX      3.40282346638528859812e+38f
#define R(x)          x##f
#elif defined KERNEL_F64
#define real          double
#define KERNEL_TYPE   f64
#define REAL_EPSILON  2.220446049250313e-16
#define REAL_INFINITY __builtin_inf()
#define REAL_MAX      1.79769313486231570815e+308
#define R(x)          x
#elif defined KERNEL_I8
#define integer     int8_t
#define KERNEL_TYPE i8
#elif defined KERNEL_U8
#define integer     uint8_t
#define KERNEL_TYPE u8
#elif defined KERNEL_I16
#define integer     int16_t
#define KERNEL_TYPE i16
#elif defined KERNEL_I32
#define integer     int32_t
#define KERNEL_TYPE i32
#elif defined KERNEL_I64
#define integer     int64_t
#define KERNEL_TYPE i64
#endif

#if defined KERNEL_BASELINE
#define KERNEL_SET baseline
#elif defined KERNEL_AVX2
#define KERNEL_SET avx2
#elif defined KERNEL_AVX512
#define KERNEL_SET avx512
#endif

#undef L
#undef KERNEL
#undef KERNEL_STATUS
#undef KERNEL_PASTE
#undef KERNEL_NAME
#undef KERNEL_DISPATCH

#define KERNEL_PASTE(a, b, c)  a##_##b##_##c
#define KERNEL_NAME(a, b, c)   KERNEL_PASTE(a, b, c)
#define L(name)                KERNEL_NAME(name, KERNEL_TYPE, KERNEL_SET)
#define KERNEL_PUBLIC(name)    KERNEL_NAME(rill, name, KERNEL_TYPE)
#define KERNEL_VARIANT(n, set) KERNEL_NAME(kernel_##n, KERNEL_TYPE, set)

#if defined KERNEL_BASELINE && defined RILL_ALL_KERNELS
/* The table's rows are the levels of cpu_level(). */
#define KERNEL_TABLE(name)                                                                         \
  { KERNEL_VARIANT(name, baseline), KERNEL_VARIANT(name, avx2), KERNEL_VARIANT(name, avx512) }
#define KERNEL_DECLARE(type, name, parameters)                                                     \
  type KERNEL_VARIANT(name, baseline) parameters;                                                  \
  type KERNEL_VARIANT(name, avx2) parameters;                                                      \
  type KERNEL_VARIANT(name, avx512) parameters;
#else
#define KERNEL_TABLE(name)                                                                         \
  { KERNEL_VARIANT(name, baseline) }
#define KERNEL_DECLARE(type, name, parameters) type KERNEL_VARIANT(name, KERNEL_SET) parameters;
#endif

#if defined KERNEL_BASELINE
#define KERNEL(name, parameters, arguments)                                                        \
  KERNEL_DECLARE(void, name, parameters)                                                           \
  void KERNEL_PUBLIC(name) parameters {                                                            \
    static void(*const table[]) parameters = KERNEL_TABLE(name);                                   \
    table[cpu_level()] arguments;                                                                  \
  }                                                                                                \
  void KERNEL_VARIANT(name, baseline) parameters
#define KERNEL_STATUS(name, parameters, arguments)                                                 \
  KERNEL_DECLARE(rill_status, name, parameters)                                                    \
  rill_status KERNEL_PUBLIC(name) parameters {                                                     \
    static rill_status(*const table[]) parameters = KERNEL_TABLE(name);                            \
    return table[cpu_level()] arguments;                                                           \
  }                                                                                                \
  rill_status KERNEL_VARIANT(name, baseline) parameters
#else
#define KERNEL(name, parameters, arguments)                                                        \
  void KERNEL_VARIANT(name, KERNEL_SET) parameters;                                                \
  void KERNEL_VARIANT(name, KERNEL_SET) parameters
#define KERNEL_STATUS(name, parameters, arguments)                                                 \
  rill_status KERNEL_VARIANT(name, KERNEL_SET) parameters;                                         \
  rill_status KERNEL_VARIANT(name, KERNEL_SET) parameters
#endif
