/* Which instruction set the kernels use on this processor. */
#include "base/base.h"

static int cpu_detect(void) {
#if defined RILL_ALL_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2"))
    return CPU_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CPU_AVX2;
#endif
  return CPU_BASELINE;
}

/* Not state but a cached fact: every thread that finds it unset computes the same value. */
static atomic_int level_cache = -1;

int cpu_level(void) {
  int level = atomic_load_explicit(&level_cache, memory_order_relaxed);
  if (level < 0) {
    level = cpu_detect();
    atomic_store_explicit(&level_cache, level, memory_order_relaxed);
  }
  return level;
}

int cpu_set_level(int level) {
  int best = cpu_detect();
  level = level < CPU_BASELINE ? CPU_BASELINE : level > best ? best : level;
  atomic_store_explicit(&level_cache, level, memory_order_relaxed);
  return level;
}

const char *rill_cpu_kernels(void) {
  static const char *const names[CPU_LEVELS] = {"baseline", "avx2", "avx512"};
  return names[cpu_level()];
}
