/* The faces of the sliding windows, one set for each type: see window_call.c. */
#include "pure/kernel.h"
#include "pure/window.h"

#if defined KERNEL_BASELINE

#undef SAMPLE
#undef TYPE
#if defined KERNEL_F32 || defined KERNEL_F64
#define SAMPLE real
#else
#define SAMPLE integer
#endif
#if defined KERNEL_F32
#define TYPE WINDOW_F32
#elif defined KERNEL_F64
#define TYPE WINDOW_F64
#elif defined KERNEL_I8
#define TYPE WINDOW_I8
#elif defined KERNEL_U8
#define TYPE WINDOW_U8
#elif defined KERNEL_I16
#define TYPE WINDOW_I16
#elif defined KERNEL_I32
#define TYPE WINDOW_I32
#else
#define TYPE WINDOW_I64
#endif

size_t KERNEL_PUBLIC(window_workspace)(const rill_window_params *p) {
  return window_workspace(TYPE, p);
}

rill_status KERNEL_PUBLIC(window_max)(const rill_window_params *p, const SAMPLE *x, SAMPLE *y,
                                      int64_t begin, int64_t end, void *workspace) {
  return window_values(TYPE, p, x, NULL, y, begin, end, workspace);
}

rill_status KERNEL_PUBLIC(window_min)(const rill_window_params *p, const SAMPLE *x, SAMPLE *y,
                                      int64_t begin, int64_t end, void *workspace) {
  return window_values(TYPE, p, x, y, NULL, begin, end, workspace);
}

rill_status KERNEL_PUBLIC(window_minmax)(const rill_window_params *p, const SAMPLE *x,
                                         SAMPLE *y_min, SAMPLE *y_max, int64_t begin, int64_t end,
                                         void *workspace) {
  if (!y_min || !y_max) return window_values(TYPE, p, x, NULL, NULL, begin, end, workspace);
  return window_values(TYPE, p, x, y_min, y_max, begin, end, workspace);
}

rill_status KERNEL_PUBLIC(window_argmax)(const rill_window_params *p, const SAMPLE *x,
                                         int64_t *index, SAMPLE *y, int64_t begin, int64_t end,
                                         void *workspace) {
  return window_indices(TYPE, p, x, index, y, false, begin, end, workspace);
}

rill_status KERNEL_PUBLIC(window_argmin)(const rill_window_params *p, const SAMPLE *x,
                                         int64_t *index, SAMPLE *y, int64_t begin, int64_t end,
                                         void *workspace) {
  return window_indices(TYPE, p, x, index, y, true, begin, end, workspace);
}

#undef SAMPLE
#undef TYPE
#endif
