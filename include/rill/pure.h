/* The pure face: re-entrant functions over the caller's buffers, suffixed by their dtype.
 *
 * Each allocates nothing, keeps nothing, locks nothing, starts no thread and writes only its
 * outputs. Buffers are contiguous, row-major and do not overlap unless the comment says otherwise;
 * sizes are element counts of at least 0. Functions whose arguments can be wrong return a status
 * and then write nothing. What a backward needs is saved into buffers that the caller passes; where
 * scratch is needed a _workspace function says how many bytes. Any thread, any number at once.
 *
 * This includes one header for each family of kernels; each can also be included alone. */
#ifndef RILL_PURE_H
#define RILL_PURE_H

#include "rill/pure/elementwise.h"
#include "rill/pure/reduce.h"
#include "rill/pure/softmax.h"
#include "rill/pure/norm.h"
#include "rill/pure/dropout.h"
#include "rill/pure/matmul.h"
#include "rill/pure/index.h"
#include "rill/pure/attention.h"
#include "rill/pure/rope.h"
#include "rill/pure/selective_scan.h"
#include "rill/pure/causal_conv1d.h"
#include "rill/pure/optim.h"
#include "rill/pure/move.h"
#include "rill/pure/window.h"
#include "rill/pure/window_sum.h"
#include "rill/pure/window_quantile.h"

#endif
