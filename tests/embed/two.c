/* The second copy of rill in one program: its names have a prefix, which its headers hide. */
#include <rill.h>

#include "client.h"

int two_client_run(void);
uintptr_t two_version_address(void);

int two_client_run(void) { return client_run(); }
uintptr_t two_version_address(void) { return (uintptr_t)rill_version; }
