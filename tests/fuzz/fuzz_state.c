/* Any bytes as a saved state: refused, and the state is as it was, or loaded, and it goes on. */
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  rill_context *ctx = rill_context_create(NULL);
  rill_module *parts[] = {rill_nn_attention(ctx, 4, 2, NULL), rill_nn_mamba(ctx, 4, NULL)};
  rill_module *model = rill_nn_sequential(ctx, parts, 2);
  rill_state *state = rill_state_create(ctx, model, 1);
  rill_tensor *step = rill_ones(ctx, RILL_F32, (int64_t[]){1, 2, 4}, 3);
  rill_extend(ctx, model, step, state);
  must(rill_error(ctx) == RILL_OK, "the model streams");
  if (rill_state_load(ctx, state, fuzz_file(data, size)) != RILL_OK) {
    must(*rill_error_message(ctx), "a refusal says why");
    rill_error_clear(ctx);
    must(rill_extend(ctx, model, step, state) != NULL, "a refused file changes nothing");
  } else {
    rill_extend(ctx, model, step, state);
  }
  rill_context_close(ctx);
  return 0;
}
