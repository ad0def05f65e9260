/* Learning-rate schedules: pure functions of the step. */
#include "base/base.h"
#include "rill/optim.h"

#include <math.h>

void rill_schedule_init(rill_schedule *schedule) {
  if (schedule) *schedule = (rill_schedule)RILL_SCHEDULE_INIT;
}

static bool sensible(const rill_schedule *s) {
  bool decays = s->kind == RILL_SCHEDULE_LINEAR || s->kind == RILL_SCHEDULE_COSINE;
  return s->kind >= RILL_SCHEDULE_CONSTANT && s->kind <= RILL_SCHEDULE_STEP && s->lr >= 0 &&
         isfinite(s->lr) && s->warmup_steps >= 0 &&
         (!decays || (s->end_lr >= 0 && isfinite(s->end_lr) && s->total_steps > 0 &&
                      s->total_steps >= s->warmup_steps)) &&
         (s->kind != RILL_SCHEDULE_STEP ||
          (s->step_size > 0 && s->gamma >= 0 && isfinite(s->gamma)));
}

double rill_schedule_lr(const rill_schedule *schedule, int64_t step) {
  static const double pi = 3.14159265358979323846;
  if (!schedule || schedule->struct_size < sizeof(size_t)) return NAN;
  rill_schedule s;
  options_read(&s, sizeof s, schedule);
  if (!sensible(&s) || step < 0) return NAN;
  if (step < s.warmup_steps) return s.lr * (double)(step + 1) / (double)s.warmup_steps;
  int64_t since = step - s.warmup_steps;
  if (s.kind == RILL_SCHEDULE_CONSTANT) return s.lr;
  if (s.kind == RILL_SCHEDULE_STEP) return s.lr * pow(s.gamma, (double)(since / s.step_size));
  if (step >= s.total_steps) return s.end_lr;
  double part = (double)since / (double)(s.total_steps - s.warmup_steps);
  double left = s.kind == RILL_SCHEDULE_LINEAR ? 1 - part : (1 + cos(pi * part)) / 2;
  return s.end_lr + (s.lr - s.end_lr) * left;
}
