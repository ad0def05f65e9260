/* A problem for the selective scan in double: making it, the plain recurrence with its gradients, running the
 * kernels of either type on it in several memory layouts, and comparing. */
#ifndef RILL_TESTS_SCAN_PROBLEM_H
#define RILL_TESTS_SCAN_PROBLEM_H

#include "main.h"
#include "base/base.h"
#include "rill/pure.h"

/* What goes in, each with a gradient, and what comes out, each with one given. */
enum { U, DELTA, A, B, C, SKIP, Z, BIAS, H0, INPUTS };
enum { Y, HT, OUTPUTS };

enum { LONE = 1, WIDE = 2, IN_PLACE = 4, FLOAT = 8, NO_GRAD = 16 };

/* Absent inputs, and a gradient of hT that is not given, are NULL. All of it is malloc'ed. */
typedef struct problem {
  int64_t batch, steps, channels, states;
  bool softplus;
  double *in[INPUTS], *grad_out[OUTPUTS];
} problem;

typedef struct result {
  double *out[OUTPUTS], *grad[INPUTS];
} result;

static int64_t input_size(const problem *p, int i) {
  switch (i) {
  case U:
  case DELTA:
  case Z: return p->batch * p->steps * p->channels;
  case A: return p->channels * p->states;
  case B:
  case C: return p->batch * p->steps * p->states;
  case H0: return p->batch * p->channels * p->states;
  default: return p->channels;
  }
}

static int64_t output_size(const problem *p, int i) {
  return i == Y ? input_size(p, U) : input_size(p, H0);
}

static void *block(int64_t n, size_t size) {
  void *p = malloc((size_t)(n ? n : 1) * size);
  ck_assert_ptr_nonnull(p);
  return p;
}

static double *reals(int64_t n) {
  double *x = block(n, sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = NAN;
  return x;
}

static double *copied(const double *from, int64_t n) {
  double *x = block(n, sizeof *x);
  memcpy(x, from, sizeof *x * (size_t)n);
  return x;
}

/* Values are rounded to float, so that both types compute the same problem. */
static double *normals(uint64_t *seed, int64_t n) {
  double *x = block(n, sizeof *x);
  for (int64_t i = 0; i < n; i++) x[i] = (float)test_normal(seed);
  return x;
}

/* `all`: with every optional input; otherwise with none. */
static problem make_problem(uint64_t seed, int64_t batch, int64_t steps, int64_t channels,
                            int64_t states, bool all) {
  problem p = {
      .batch = batch, .steps = steps, .channels = channels, .states = states, .softplus = all};
  for (int i = 0; i < INPUTS; i++)
    if (all || i <= C) p.in[i] = normals(&seed, input_size(&p, i));
  for (int i = 0; i < OUTPUTS; i++)
    if (all || i == Y) p.grad_out[i] = normals(&seed, output_size(&p, i));
  for (int64_t i = 0; i < input_size(&p, A); i++) p.in[A][i] = -fabs(p.in[A][i]);
  if (!all)
    for (int64_t i = 0; i < input_size(&p, DELTA); i++) p.in[DELTA][i] = fabs(p.in[DELTA][i]);
  return p;
}

static void free_problem(problem *p) {
  for (int i = 0; i < INPUTS; i++) free(p->in[i]);
  for (int i = 0; i < OUTPUTS; i++) free(p->grad_out[i]);
}

static void free_result(result *r) {
  for (int i = 0; i < INPUTS; i++) free(r->grad[i]);
  for (int i = 0; i < OUTPUTS; i++) free(r->out[i]);
}

static result make_result(const problem *p) {
  result r = {{0}, {0}};
  for (int i = 0; i < INPUTS; i++) r.grad[i] = reals(input_size(p, i));
  for (int i = 0; i < OUTPUTS; i++) r.out[i] = reals(output_size(p, i));
  return r;
}

/* ---- the plain recurrence and its gradient ---- */

static double at(const double *x, int64_t i, double otherwise) { return x ? x[i] : otherwise; }

static result reference(const problem *p) {
  result r = make_result(p);
  int64_t T = p->steps, D = p->channels, N = p->states;
  double *h = block((T + 1) * N, sizeof *h), *g = block(N, sizeof *g);
  for (int i = 0; i < INPUTS; i++)
    for (int64_t k = 0; k < input_size(p, i); k++) r.grad[i][k] = 0;
  for (int64_t b = 0; b < p->batch; b++) {
    for (int64_t d = 0; d < D; d++) {
      for (int64_t n = 0; n < N; n++) h[n] = at(p->in[H0], (b * D + d) * N + n, 0);
      for (int64_t t = 0; t < T; t++) {
        int64_t i = (b * T + t) * D + d, row = (b * T + t) * N;
        double dt = p->in[DELTA][i] + at(p->in[BIAS], d, 0), u = p->in[U][i], y = 0;
        if (p->softplus) dt = fmax(dt, 0) + log1p(exp(-fabs(dt)));
        for (int64_t n = 0; n < N; n++) {
          h[(t + 1) * N + n] =
              exp(dt * p->in[A][d * N + n]) * h[t * N + n] + dt * u * p->in[B][row + n];
          y += p->in[C][row + n] * h[(t + 1) * N + n];
        }
        y += at(p->in[SKIP], d, 0) * u;
        r.out[Y][i] = p->in[Z] ? y * p->in[Z][i] / (1 + exp(-p->in[Z][i])) : y;
      }
      for (int64_t n = 0; n < N; n++) {
        r.out[HT][(b * D + d) * N + n] = h[T * N + n];
        g[n] = at(p->grad_out[HT], (b * D + d) * N + n, 0);
      }
      for (int64_t t = T - 1; t >= 0; t--) {
        int64_t i = (b * T + t) * D + d, row = (b * T + t) * N;
        double raw = p->in[DELTA][i] + at(p->in[BIAS], d, 0), dt = raw, u = p->in[U][i];
        if (p->softplus) dt = fmax(raw, 0) + log1p(exp(-fabs(raw)));
        double dy = p->grad_out[Y][i], du = 0, ddt = 0, y = at(p->in[SKIP], d, 0) * u;
        if (p->in[Z]) {
          double s = 1 / (1 + exp(-p->in[Z][i]));
          for (int64_t n = 0; n < N; n++) y += p->in[C][row + n] * h[(t + 1) * N + n];
          r.grad[Z][i] = dy * y * s * (1 + p->in[Z][i] * (1 - s));
          dy *= p->in[Z][i] * s;
        }
        for (int64_t n = 0; n < N; n++) {
          double a = p->in[A][d * N + n], e = exp(dt * a), before = h[t * N + n];
          g[n] += p->in[C][row + n] * dy;
          r.grad[C][row + n] += h[(t + 1) * N + n] * dy;
          r.grad[B][row + n] += g[n] * dt * u;
          r.grad[A][d * N + n] += g[n] * e * before * dt;
          ddt += g[n] * (a * e * before + u * p->in[B][row + n]);
          du += g[n] * p->in[B][row + n] * dt;
          g[n] *= e;
        }
        if (p->softplus) ddt /= 1 + exp(-raw);
        r.grad[DELTA][i] = ddt;
        r.grad[BIAS][d] += ddt;
        r.grad[SKIP][d] += dy * u;
        r.grad[U][i] = du + at(p->in[SKIP], d, 0) * dy;
      }
      for (int64_t n = 0; n < N; n++) r.grad[H0][(b * D + d) * N + n] = g[n];
    }
  }
  free(h);
  free(g);
  return r;
}

/* ---- running the kernels ---- */

/* Doubles to a buffer of the type, its rows `stride` apart with NaN between them, and back. */
static void *pack(const double *x, int64_t rows, int64_t width, int64_t stride, bool single) {
  if (!x) return NULL;
  float *f = block(rows * stride, sizeof(double));
  double *d = (double *)f;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < stride; i++) {
      double v = i < width ? x[r * width + i] : NAN;
      if (single)
        f[r * stride + i] = (float)v;
      else
        d[r * stride + i] = v;
    }
  }
  return f;
}

static void unpack(void *from, double *to, int64_t n, bool single) {
  if (to)
    for (int64_t i = 0; i < n; i++) to[i] = single ? ((float *)from)[i] : ((double *)from)[i];
  free(from);
}

static rill_selective_scan_params params_of(const problem *p) {
  rill_selective_scan_params s;
  rill_selective_scan_params_init(&s);
  s.batch = p->batch, s.steps = p->steps, s.channels = p->channels, s.states = p->states;
  s.delta_softplus = p->softplus;
  return s;
}

/* Forward of units [begin, end). */
static void forward(const rill_selective_scan_params *s, void *const *in, void *const *out,
                    void *saved, int64_t begin, int64_t end, void *workspace, bool single) {
  rill_status status = single ? rill_selective_scan_f32(s, in[U], in[DELTA], in[A], in[B], in[C],
                                                        in[SKIP], in[Z], in[BIAS], in[H0], out[Y],
                                                        out[HT], saved, begin, end, workspace)
                              : rill_selective_scan_f64(s, in[U], in[DELTA], in[A], in[B], in[C],
                                                        in[SKIP], in[Z], in[BIAS], in[H0], out[Y],
                                                        out[HT], saved, begin, end, workspace);
  ck_assert_int_eq(status, RILL_OK);
}

static void backward(const rill_selective_scan_params *s, void *const *in, void *saved,
                     void *const *grad_out, void *const *grad, void *partials, int64_t begin,
                     int64_t end, void *workspace, bool single) {
  rill_status status =
      single ? rill_selective_scan_backward_f32(s, in[U], in[DELTA], in[A], in[B], in[C], in[SKIP],
                                                in[Z], in[BIAS], saved, grad_out[Y], grad_out[HT],
                                                grad[U], grad[DELTA], grad[Z], grad[H0], partials,
                                                begin, end, workspace)
             : rill_selective_scan_backward_f64(s, in[U], in[DELTA], in[A], in[B], in[C], in[SKIP],
                                                in[Z], in[BIAS], saved, grad_out[Y], grad_out[HT],
                                                grad[U], grad[DELTA], grad[Z], grad[H0], partials,
                                                begin, end, workspace);
  ck_assert_int_eq(status, RILL_OK);
}

static void reduce(const rill_selective_scan_params *s, void *partials, void *const *grad,
                   int64_t begin, int64_t end, bool single) {
  rill_status status = single
                           ? rill_selective_scan_reduce_f32(s, partials, grad[A], grad[B], grad[C],
                                                            grad[SKIP], grad[BIAS], begin, end)
                           : rill_selective_scan_reduce_f64(s, partials, grad[A], grad[B], grad[C],
                                                            grad[SKIP], grad[BIAS], begin, end);
  ck_assert_int_eq(status, RILL_OK);
}

/* A block that the kernels must not read before they write: filled with NaN. */
static void *scratch(size_t bytes) {
  void *p = block((int64_t)bytes + 8, 1);
  memset(p, 0xff, bytes + 8);
  return p;
}

/* flags: LONE runs each unit in a call of its own, last to first; WIDE spreads the rows; IN_PLACE
 * lets hT overwrite h0; FLOAT computes in f32; NO_GRAD runs the forward without checkpoints. */
static result run(const problem *p, int flags) {
  bool single = flags & FLOAT, lone = flags & LONE;
  rill_selective_scan_params s = params_of(p);
  result r = make_result(p);
  void *in[INPUTS], *grad[INPUTS], *out[OUTPUTS], *grad_out[OUTPUTS];
  for (int i = 0; i < INPUTS; i++) {
    bool channel_rows = i == U || i == DELTA || i == Z, state_rows = i == B || i == C;
    int64_t width = channel_rows ? p->channels : state_rows ? p->states : input_size(p, i);
    int64_t rows = channel_rows || state_rows ? p->batch * p->steps : 1, stride = width;
    if (flags & WIDE && (channel_rows || state_rows)) stride += 3 + i;
    if (i == U) s.u_stride = stride;
    if (i == DELTA) s.delta_stride = stride;
    if (i == Z) s.z_stride = stride;
    if (i == B) s.B_stride = stride;
    if (i == C) s.C_stride = stride;
    in[i] = pack(p->in[i], rows, width, stride, single);
    grad[i] = pack(r.grad[i], 1, input_size(p, i), input_size(p, i), single);
  }
  for (int i = 0; i < OUTPUTS; i++) {
    out[i] = pack(r.out[i], 1, output_size(p, i), output_size(p, i), single);
    grad_out[i] = pack(p->grad_out[i], 1, output_size(p, i), output_size(p, i), single);
  }
  if (flags & IN_PLACE) memcpy(out[HT], in[H0], (size_t)output_size(p, HT) * (single ? 4 : 8));
  void *h0 = in[H0];
  if (flags & IN_PLACE) in[H0] = out[HT];

  void *workspace = scratch(single ? rill_selective_scan_workspace_f32(&s)
                                   : rill_selective_scan_workspace_f64(&s));
  void *saved = scratch(single ? rill_selective_scan_checkpoints_f32(&s)
                               : rill_selective_scan_checkpoints_f64(&s));
  void *partials =
      scratch(single ? rill_selective_scan_partials_f32(&s) : rill_selective_scan_partials_f64(&s));
  int64_t units = rill_selective_scan_units(&s), step = lone ? 1 : units ? units : 1;
  for (int64_t i = units - step; i >= 0; i -= step)
    forward(&s, in, out, flags & NO_GRAD ? NULL : saved, i, i + step, workspace, single);
  if (!(flags & NO_GRAD)) {
    for (int64_t i = units - step; i >= 0; i -= step)
      backward(&s, in, saved, grad_out, grad, partials, i, i + step, workspace, single);
    units = rill_selective_scan_reduce_units(&s), step = lone ? 1 : units ? units : 1;
    for (int64_t i = units - step; i >= 0; i -= step)
      reduce(&s, partials, grad, i, i + step, single);
  }

  in[H0] = h0;
  for (int i = 0; i < INPUTS; i++) {
    free(in[i]);
    unpack(grad[i], r.grad[i], input_size(p, i), single);
  }
  for (int i = 0; i < OUTPUTS; i++) {
    unpack(out[i], r.out[i], output_size(p, i), single);
    free(grad_out[i]);
  }
  free(workspace);
  free(saved);
  free(partials);
  return r;
}

static void check_close(const problem *p, const result *r, const result *expected, double value,
                        double gradient) {
  for (int i = 0; i < OUTPUTS; i++)
    ck_assert_msg(rms_ratio_f64(r->out[i], expected->out[i], output_size(p, i)) <= value,
                  "output %d, steps %d channels %d states %d: %g", i, (int)p->steps,
                  (int)p->channels, (int)p->states,
                  rms_ratio_f64(r->out[i], expected->out[i], output_size(p, i)));
  for (int i = 0; i < INPUTS; i++)
    if (p->in[i])
      ck_assert_msg(rms_ratio_f64(r->grad[i], expected->grad[i], input_size(p, i)) <= gradient,
                    "gradient %d, steps %d channels %d states %d: %g", i, (int)p->steps,
                    (int)p->channels, (int)p->states,
                    rms_ratio_f64(r->grad[i], expected->grad[i], input_size(p, i)));
}

static void check_same(const problem *p, const result *r, const result *expected) {
  for (int i = 0; i < OUTPUTS; i++)
    ck_assert_mem_eq(r->out[i], expected->out[i], sizeof(double) * (size_t)output_size(p, i));
  for (int i = 0; i < INPUTS; i++)
    if (p->in[i])
      ck_assert_mem_eq(r->grad[i], expected->grad[i], sizeof(double) * (size_t)input_size(p, i));
}

#endif
