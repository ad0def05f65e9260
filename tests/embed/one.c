/* A program with two copies of rill, each used through its own headers. */
#include <rill.h>

#include "client.h"

int two_client_run(void);
uintptr_t two_version_address(void);

int main(void) {
  int status = client_run();
  if (!status) status = two_client_run();
  if (!status && (uintptr_t)rill_version == two_version_address()) status = 5;
  if (status) fprintf(stderr, "one and two: check %d failed\n", status);
  return status;
}
