/* The context's random stream: a seed and a count of the blocks taken from it. The numbers
 * themselves are made by the kernels, from seed and block index. */
#include "base/base.h"

rill_status rill_seed(rill_context *ctx, uint64_t seed) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  if (ctx->error != RILL_OK) return ctx->error;
  ctx->random = (rill_random_state){.seed = seed};
  return RILL_OK;
}

rill_status rill_random_get_state(const rill_context *ctx, rill_random_state *state) {
  if (!ctx || !state) return RILL_ERROR_ARGUMENT;
  *state = ctx->random;
  return RILL_OK;
}

rill_status rill_random_set_state(rill_context *ctx, const rill_random_state *state) {
  if (!ctx) return RILL_ERROR_ARGUMENT;
  if (ctx->error != RILL_OK) return ctx->error;
  if (!state) return error_set(ctx, RILL_ERROR_ARGUMENT, "random_set_state", "state is NULL");
  ctx->random = *state;
  return RILL_OK;
}

uint64_t random_reserve(rill_context *ctx, uint64_t blocks) {
  uint64_t first = ctx->random.offset;
  ctx->random.offset += blocks;
  return first;
}
