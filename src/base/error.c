/* Status names, versions, and the first error of a context. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rill_status_name(rill_status status) {
  switch (status) {
  case RILL_OK: return "RILL_OK";
  case RILL_ERROR_MEMORY: return "RILL_ERROR_MEMORY";
  case RILL_ERROR_ARGUMENT: return "RILL_ERROR_ARGUMENT";
  case RILL_ERROR_SHAPE: return "RILL_ERROR_SHAPE";
  case RILL_ERROR_DTYPE: return "RILL_ERROR_DTYPE";
  case RILL_ERROR_INDEX: return "RILL_ERROR_INDEX";
  case RILL_ERROR_OVERFLOW: return "RILL_ERROR_OVERFLOW";
  case RILL_ERROR_GRAPH: return "RILL_ERROR_GRAPH";
  case RILL_ERROR_IO: return "RILL_ERROR_IO";
  case RILL_ERROR_FORMAT: return "RILL_ERROR_FORMAT";
  case RILL_ERROR_NOT_FOUND: return "RILL_ERROR_NOT_FOUND";
  case RILL_ERROR_UNSUPPORTED: return "RILL_ERROR_UNSUPPORTED";
  case RILL_ERROR_STATE: return "RILL_ERROR_STATE";
  case RILL_ERROR_CALLBACK: return "RILL_ERROR_CALLBACK";
  }
  return "RILL_ERROR_UNKNOWN";
}

const char *rill_version(void) { return RILL_VERSION_STRING; }

int rill_version_number(void) {
  return RILL_VERSION_MAJOR * 10000 + RILL_VERSION_MINOR * 100 + RILL_VERSION_PATCH;
}

int rill_abi_version(void) { return RILL_ABI_VERSION; }

rill_status error_set(rill_context *ctx, rill_status code, const char *op, const char *format,
                      ...) {
  if (!ctx) return code;
  if (ctx->error != RILL_OK) return ctx->error;
  ctx->error = code;
  int prefix = snprintf(ctx->error_op, sizeof ctx->error_op, "%s", op ? op : "");
  if (prefix < 0) ctx->error_op[0] = 0;
  prefix = snprintf(ctx->error_message, sizeof ctx->error_message, "%s: ", ctx->error_op);
  if (prefix < 0) prefix = 0;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(ctx->error_message + prefix, sizeof ctx->error_message - (size_t)prefix, format,
                    args);
  va_end(args);
  if (n < 0) ctx->error_message[prefix] = 0;
  return code;
}

rill_status error_memory(rill_context *ctx, const char *op, size_t bytes) {
  return error_set(ctx, RILL_ERROR_MEMORY, op, "no memory for %zu bytes", bytes);
}

rill_status rill_error(const rill_context *ctx) { return ctx ? ctx->error : RILL_ERROR_ARGUMENT; }

const char *rill_error_message(const rill_context *ctx) {
  if (!ctx) return "the context is NULL";
  return ctx->error == RILL_OK ? "" : ctx->error_message;
}

const char *rill_error_op(const rill_context *ctx) {
  return !ctx || ctx->error == RILL_OK ? "" : ctx->error_op;
}

void rill_error_clear(rill_context *ctx) {
  if (!ctx) return;
  ctx->error = RILL_OK;
  ctx->error_op[0] = ctx->error_message[0] = 0;
}
