/* The pure face: rotary positions (src/pure/rope.c), by the rules of rill/pure.h. */
#ifndef RILL_PURE_ROPE_H
#define RILL_PURE_ROPE_H

#include "rill/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rotary position embedding of x [batch, time, heads, head_dim] (any strides of the first three; the
 * last dim is contiguous): pair i of the first rotary_dim features of time t turns by the angle
 * (offset + t) * base^(-2 i / rotary_dim), computed in f64. Su et al. 2021. Zero means default. */
typedef struct rill_rope_params {
  size_t struct_size; /* sizeof(rill_rope_params)                                    */
  int64_t batch, time, heads, head_dim;
  int64_t x_stride[3], y_stride[3]; /* of batch, time, head                                       */
  int64_t rotary_dim; /* even; 0: head_dim. The features beyond are copied           */
  int64_t offset;     /* position of time 0                                          */
  double base;        /* 0: 10000                                                    */
  bool interleaved;   /* pairs (2i, 2i + 1); else (i, i + rotary_dim / 2), as Llama  */
  bool inverse;       /* turn back: the backward, with x the gradient of y           */
} rill_rope_params;

#define RILL_ROPE_PARAMS_INIT RILL_STRUCT_INIT(rill_rope_params)
RILL_API void rill_rope_params_init(rill_rope_params *params);

/* RILL_OK where the kernels may be called with params. */
RILL_API rill_status rill_rope_check(const rill_rope_params *params);

/* y may be x. */
RILL_API void rill_rope_f32(const rill_rope_params *params, const float *x, float *y);
RILL_API void rill_rope_f64(const rill_rope_params *params, const double *x, double *y);

#ifdef __cplusplus
}
#endif

#endif
