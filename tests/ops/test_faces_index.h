/* The faces of the ops that read and add at given indices. */
#ifndef REAL

#define FACE_FAMILY "ops/test_faces_index.h"
#include "ops/test_faces_types.h"

/* rows, width, indices. */
static const face_sizes embedding_sizes = {
    5, 6, {{1, 1, 1}, {3, 5, 0}, {3, 0, 5}, {7, 17, 20}, {1, 3, 9}, {50, 41, 6001}}};
/* outer, n, inner, indices. */
static const face_sizes gather_sizes = {
    5,
    6,
    {{1, 1, 1, 1}, {0, 3, 2, 4}, {2, 3, 4, 0}, {3, 7, 1, 17}, {3, 7, 5, 17}, {40, 13, 67, 29}}};

static const face_case index_cases[] = {
    {"embedding", embedding_f32, embedding_f64, &embedding_sizes, NULL, false},
    {"index_select", index_select_f32, index_select_f64, &gather_sizes, NULL, false},
    {"gather", gather_f32, gather_f64, &gather_sizes, NULL, true},
    {"scatter_add", scatter_add_f32, scatter_add_f64, &gather_sizes, NULL, false},
};

#else

/* The last row is the padding: it gets no gradient. */
static void N(embedding)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t rows = size[0], width = size[1], n = size[2], *index = face_indices(n, rows);
  REAL *w = N(values)(rows * width), *g = N(values)(n * width), *y = N(room)(n * width);
  REAL *gw = N(zeros)(rows * width);
  (void)c;
  face_status(K(gather_rows)(w, rows, width, index, n, y));
  face_status(K(scatter_add_rows)(g, index, n, width, rows, gw));
  rill_tensor *at = rill_from_buffer(ctx, RILL_I64, &n, 1, index), *t = N(leaf)(ctx, w, size, 2);
  rill_tensor *out = rill_embedding(ctx, at, t, RILL_NO_PADDING);
  face_agree(ctx, DTYPE, &(face_value){out, y, n * width, g}, 1, &(face_grad){"gradient", t, gw},
             1);
  for (int64_t j = 0; j < width; j++) gw[(rows - 1) * width + j] = 0;
  out = rill_embedding(ctx, at, t, -1);
  face_agree(ctx, DTYPE, &(face_value){out, y, n * width, g}, 1, &(face_grad){"gradient", t, gw},
             1);
}

static void N(index_select)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t outer = size[0], rows = size[1], width = size[2], n = size[3];
  int64_t *index = face_indices(n, rows), all = outer * rows * width, some = outer * n * width;
  REAL *x = N(values)(all), *g = N(values)(some), *y = N(room)(some), *gx = N(zeros)(all);
  (void)c;
  for (int64_t o = 0; o < outer; o++) {
    int64_t from = o * rows * width, to = o * n * width;
    face_status(K(gather_rows)(x + from, rows, width, index, n, y + to));
    face_status(K(scatter_add_rows)(g + to, index, n, width, rows, gx + from));
  }
  rill_tensor *at = rill_from_buffer(ctx, RILL_I64, &n, 1, index), *t = N(leaf)(ctx, x, size, 3);
  face_agree(ctx, DTYPE, &(face_value){rill_index_select(ctx, t, 1, at), y, some, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

static void N(gather)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t outer = size[0], n = size[1], inner = size[2], m = size[3];
  int64_t all = outer * n * inner, some = outer * m * inner, *index = face_indices(some, n);
  REAL *x = N(values)(all), *g = N(values)(some), *y = N(room)(some), *gx = N(zeros)(all);
  (void)c;
  face_status(K(gather)(x, index, y, outer, n, m, inner));
  face_status(K(scatter_add)(g, index, gx, outer, n, m, inner));
  rill_tensor *at = rill_from_buffer(ctx, RILL_I64, (int64_t[]){outer, m, inner}, 3, index);
  rill_tensor *t = N(leaf)(ctx, x, size, 3);
  face_agree(ctx, DTYPE, &(face_value){rill_gather(ctx, t, 1, at), y, some, g}, 1,
             &(face_grad){"gradient", t, gx}, 1);
}

static void N(scatter_add)(rill_context *ctx, const face_case *c, const int64_t *size) {
  int64_t outer = size[0], n = size[1], inner = size[2], m = size[3];
  int64_t all = outer * n * inner, some = outer * m * inner, *index = face_indices(some, n);
  REAL *x = N(values)(all), *source = N(values)(some), *g = N(values)(all), *y = N(room)(all);
  REAL *gs = N(room)(some);
  (void)c;
  memcpy(y, x, (size_t)all * sizeof *y);
  face_status(K(scatter_add)(source, index, y, outer, n, m, inner));
  face_status(K(gather)(g, index, gs, outer, n, m, inner));
  int64_t shape[] = {outer, m, inner};
  rill_tensor *at = rill_from_buffer(ctx, RILL_I64, shape, 3, index);
  rill_tensor *t = N(leaf)(ctx, x, size, 3), *s = N(leaf)(ctx, source, shape, 3);
  face_agree(ctx, DTYPE, &(face_value){rill_scatter_add(ctx, t, 1, at, s), y, all, g}, 1,
             (face_grad[]){{"gradient", t, g}, {"of source", s, gs}}, 2);
}

#endif
