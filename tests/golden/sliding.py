"""Sliding windows by PyTorch's pooling and sums over samples laid out beyond the edges: what ops.py compares with."""

import math

import torch
import torch.nn.functional as F

VALID, SAME, FULL, CAUSAL = range(4)
IGNORE, CONSTANT, NEAREST, REFLECT, MIRROR, WRAP = range(6)
NOTHING, PAD = -2, -1


def sample_at(p, n, edge):
    """The sample that place p of the endless row repeats."""
    if 0 <= p < n:
        return p
    if edge in (IGNORE, CONSTANT):
        return NOTHING if edge == IGNORE else PAD
    if edge == NEAREST:
        return min(max(p, 0), n - 1)
    if edge == WRAP:
        return p % n
    period = 2 * n if edge == REFLECT else max(2 * n - 2, 1)
    p %= period
    return p if p < n else 2 * n - 1 - p if edge == REFLECT else 2 * n - 2 - p


def places(n, window, dilation, mode, edge):
    """Which sample each place of the row has, from the first window's first to the last one's last."""
    reach = (window - 1) * dilation
    lead = {VALID: 0, SAME: window // 2 * dilation, FULL: reach, CAUSAL: reach}[mode]
    count = {VALID: n - reach, SAME: n, FULL: n + reach, CAUSAL: n}[mode] if n else 0
    return [sample_at(p - lead, n, edge) for p in range(count + reach)] if count > 0 else []


def laid_out(x, at, dim, pad):
    """x with these samples along dim; what is none of them is pad or, of nothing, -inf."""
    index = torch.tensor(at, dtype=torch.int64)
    shape = [1] * x.ndim
    shape[dim] = len(at)
    inside = (index >= 0).reshape(shape)
    beyond = torch.where(index == PAD, float(pad), -math.inf).reshape(shape)
    return torch.where(inside, x.index_select(dim, index.clamp(min=0)), beyond)


def pooled(x, dims, window, stride, dilation):
    """max_pool1d, 2d or 3d over dims, and the indices in the flattened dims."""
    rest = [d for d in range(x.ndim) if d not in dims]
    order = rest + dims
    y = x.permute(order)
    shape = y.shape[:len(rest)]
    y = y.reshape(1, -1, *y.shape[len(rest):])
    pool = [F.max_pool1d, F.max_pool2d, F.max_pool3d][len(dims) - 1]
    y, index = pool(y, window, stride, 0, dilation, return_indices=True)
    back = torch.argsort(torch.tensor(order)).tolist()
    return [t.reshape(*shape, *t.shape[2:]).permute(back) for t in (y, index)]


def window_max(x, window, dim=(), stride=1, dilation=1, mode=VALID, edge=IGNORE, pad=0.0, nan=0, last=False, index=False):
    dims = sorted(d % x.ndim for d in dim or [-1])
    lay = [places(x.shape[d], window, dilation, mode, edge) for d in dims]
    shape = list(x.shape)
    for d, at in zip(dims, lay):
        shape[d] = max(-(-(len(at) - (window - 1) * dilation) // stride), 0)
    if 0 in shape:
        return torch.zeros(shape, dtype=torch.int64 if index else x.dtype)
    y = x.to(torch.float64)
    if nan:
        y = torch.where(y.isnan(), -math.inf, y)
    for d, at in zip(dims, lay):
        y = laid_out(y, at, d, pad)
    if not last:
        y, at = pooled(y, dims, window, stride, dilation)
    else:  # the first from the other end, of which every stride-th counted from this one
        y, at = [t.flip(dims) for t in pooled(y.flip(dims), dims, window, 1, dilation)]
        for d in dims:
            pick = torch.arange(0, y.shape[d], stride)
            y, at = y.index_select(d, pick), at.index_select(d, pick)
        at = len(lay[0]) - 1 - at
    if index:
        return torch.tensor(lay[0]).clamp(min=-1)[at]
    return y if x.dtype.is_floating_point else y.to(x.dtype)


def window_min(x, *options, **named):
    """As the largest of what is negated; integers and the pad value, too."""
    options = list(options)
    if len(options) > 6:
        options[6] = -options[6]
    if "pad" in named:
        named["pad"] = -named["pad"]
    y = window_max(-x.to(torch.float64), *options, **named)
    return y if named.get("index") else (-y).to(x.dtype)


def cut(x, d, window, stride, dilation, mode, edge, pad):
    """The windows along dim d, as the last dim of what has their places there; and which samples they see."""
    at = places(x.shape[d], window, dilation, mode, edge)
    count = max(-(-(len(at) - (window - 1) * dilation) // stride), 0)
    index = torch.tensor([[at[i * stride + j * dilation] for j in range(window)] for i in range(count)],
                         dtype=torch.int64).reshape(count, window)
    if not count:
        return x.movedim(d, -1)[..., :0, None].expand(*[-1] * x.ndim, window), index != NOTHING
    v = x.movedim(d, -1)[..., index.clamp(min=0)]
    return torch.where(index == PAD, float(pad), v), index != NOTHING


def window_sum(x, window, dim=(), stride=1, dilation=1, mode=VALID, edge=IGNORE, pad=0.0, nan=0, mean=False):
    for d in sorted((d % x.ndim for d in dim or [-1]), reverse=True):
        v, seen = cut(x, d, window, stride, dilation, mode, edge, pad)
        seen = (seen & ~v.isnan()) if nan else seen.expand_as(v)
        y = torch.where(seen, v, 0.0).sum(-1)
        x = (y / seen.sum(-1) if mean else y).movedim(-1, d)
        pad = pad if mean else pad * window
    return x


def window_mean(x, *options, **named):
    return window_sum(x, *options, **named, mean=True)


METHODS = "linear lower higher nearest midpoint".split()


def window_quantile(x, window, dim=(), stride=1, dilation=1, mode=VALID, edge=IGNORE, pad=0.0, nan=0, q=0.5, method=0):
    d = dim[0] % x.ndim if dim else x.ndim - 1
    v, seen = cut(x, d, window, stride, dilation, mode, edge, pad)
    if not v.numel():
        return v.sum(-1).movedim(-1, d)
    y = torch.nanquantile(torch.where(seen, v, math.nan), q, -1, interpolation=METHODS[method])
    if not nan:
        y = torch.where((v.isnan() & seen).any(-1), math.nan, y)
    return y.movedim(-1, d)
