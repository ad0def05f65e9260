"""The sequence ops by their formulas, in PyTorch: what ops.py and mamba.py compare with."""

import math

import torch
import torch.nn.functional as F


def attention(q, k, v, mask=None, alibi=None, causal=0, window=0, scale=0.0, softcap=0.0):
    """Dense softmax attention of [batch, time, heads, width]; causal 0 none, 1 bottom right, 2 top left."""
    (tq, heads, width), (tk, kv_heads) = q.shape[1:], k.shape[1:3]
    k, v = (t.repeat_interleave(heads // kv_heads, 2) for t in (k, v))
    s = torch.einsum("bihd,bjhd->bhij", q, k) * (scale or 1 / math.sqrt(width))
    if softcap:
        s = softcap * torch.tanh(s / softcap)
    position = torch.arange(tq)[:, None] + (0 if causal == 2 else tk - tq)
    distance = position - torch.arange(tk)[None]
    if alibi is not None:
        s = s - alibi[:, None, None] * distance.abs()
    keep = torch.ones(s.shape, dtype=torch.bool)
    if causal:
        keep = keep & (distance >= 0)
    if window:
        keep = keep & (distance < window)
    if mask is not None and mask.dtype == torch.bool:
        keep = keep & mask
    elif mask is not None:
        s = s + mask
    seen = keep.any(-1, keepdim=True)
    p = torch.softmax(torch.where(keep | ~seen, s, -math.inf), -1)
    return torch.einsum("bhij,bjhe->bihe", torch.where(keep, p, 0.0), v)


def rope(x, offset=0, base=0.0, interleaved=False):
    half = x.shape[-1] // 2
    angle = torch.arange(offset, offset + x.shape[1], dtype=torch.float64)[:, None]
    angle = angle * (base or 10000.0) ** (-torch.arange(half, dtype=torch.float64) / half)
    c, s = angle.cos()[:, None], angle.sin()[:, None]
    a, b = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    a, b = a * c - b * s, a * s + b * c
    return torch.stack([a, b], -1).flatten(-2) if interleaved else torch.cat([a, b], -1)


def causal_conv1d(x, weight, bias=None, initial=None, silu=False, final=False):
    taps = weight.shape[1]
    if initial is None:
        initial = torch.zeros(x.shape[0], taps - 1, x.shape[2], dtype=x.dtype)
    whole = torch.cat([initial, x], 1)
    y = F.conv1d(whole.mT, weight[:, None], bias, groups=x.shape[2]).mT
    y = F.silu(y) if silu else y
    return (y, whole[:, whole.shape[1] - taps + 1:]) if final else y


def selective_scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, initial=None, delta_softplus=False, final=False):
    if delta_bias is not None:
        delta = delta + delta_bias
    if delta_softplus:
        delta = F.softplus(delta)
    h = torch.zeros(u.shape[0], *A.shape, dtype=u.dtype) if initial is None else initial
    ys = []
    for t in range(u.shape[1]):
        dt = delta[:, t, :, None]
        h = torch.exp(dt * A) * h + dt * u[:, t, :, None] * B[:, t, None]
        ys.append((h * C[:, t, None]).sum(-1))
    y = torch.stack(ys, 1)
    if D is not None:
        y = y + D * u
    if z is not None:
        y = y * F.silu(z)
    return (y, h) if final else y
