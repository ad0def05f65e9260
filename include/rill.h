/* rill: trainable sequence models inside any program. This umbrella includes the whole public API;
 * each header below can also be included alone. Read docs/contracts.md for the rules that hold
 * everywhere: ownership, errors, options, threads, ABI. */
#ifndef RILL_H
#define RILL_H

#include "rill/base.h"
#include "rill/pure.h"
#include "rill/tensor.h"
#include "rill/autograd.h"
#include "rill/ops.h"
#include "rill/nn.h"
#include "rill/optim.h"
#include "rill/io.h"
#include "rill/sequence.h"
#include "rill/window.h"
#include "rill/registry.h"

#endif
