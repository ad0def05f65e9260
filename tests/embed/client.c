/* A program that uses rill as installed: shared, static or amalgamated. */
#include <rill.h>

#include "client.h"

int main(void) {
  int status = client_run();
  if (status) fprintf(stderr, "client: check %d failed\n", status);
  return status;
}
