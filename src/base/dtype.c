/* The element types: names and sizes. */
#include "base/base.h"

static const struct {
  const char *name;
  uint8_t size;
} dtypes[] = {
    [RILL_F32] = {"f32", 4},   [RILL_F64] = {"f64", 8},   [RILL_F16] = {"f16", 2},
    [RILL_BF16] = {"bf16", 2}, [RILL_I32] = {"i32", 4},   [RILL_I64] = {"i64", 8},
    [RILL_U8] = {"u8", 1},     [RILL_BOOL] = {"bool", 1},
};

int rill_max_dims(void) { return RILL_MAX_DIMS; }

const char *rill_dtype_name(rill_dtype dtype) {
  return dtype_valid((int)dtype) ? dtypes[dtype].name : "?";
}

size_t rill_dtype_size(rill_dtype dtype) {
  return dtype_valid((int)dtype) ? dtypes[dtype].size : 0;
}
