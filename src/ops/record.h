/* Recording a call in the graph, and giving backward what it saved. */
#ifndef RILL_SRC_RECORD_H
#define RILL_SRC_RECORD_H

#include "ops/op.h"

/* Does an input want a gradient? */
bool record_wanted(const op_call *c);
/* Makes the node of a finished call and ties its outputs to it. */
rill_status record(op_call *c);

#endif
