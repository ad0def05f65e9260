/* The second copy of rill in one program: its names have a prefix, which its headers hide. */
#include <rill.h>

#include "client.h"

int two_client_run(void);
const void *two_version_address(void);

int two_client_run(void) { return client_run(); }
const void *two_version_address(void) { return (const void *)rill_version(); }
