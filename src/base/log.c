/* Messages for the host, through the callback of its options. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

void log_message(rill_context *ctx, rill_log_level level, const char *format, ...) {
  if (!ctx || !ctx->log) return;
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (size >= 0) ctx->log(ctx->log_user, level, message);
}
