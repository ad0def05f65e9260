/* Any bytes as a safetensors file: refused with a sentence, or every tensor in it can be read. */
#include "input.h"

static void read_all(rill_context *ctx, rill_safetensors *file) {
  for (int i = 0; i < rill_safetensors_count(file); i++) {
    const char *name = rill_safetensors_name(file, i);
    rill_tensor *t = rill_safetensors_get(ctx, file, name);
    must(t || rill_error(ctx) != RILL_OK, "a tensor is there, or an error");
    if (t)
      (void)rill_tensor_item(ctx, rill_sum(ctx, rill_to(ctx, t, RILL_F64), RILL_ALL_DIMS, false));
    rill_error_clear(ctx);
  }
  (void)rill_safetensors_metadata(file, "format");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  rill_context *ctx = rill_context_create(NULL);
  rill_safetensors *file = rill_safetensors_open(ctx, fuzz_file(data, size));
  if (file)
    read_all(ctx, file);
  else
    must(rill_error(ctx) != RILL_OK && *rill_error_message(ctx), "a refusal says why");
  rill_context_close(ctx);
  return 0;
}
