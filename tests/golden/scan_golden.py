#!/usr/bin/env python3
"""Writes scan_golden.h and conv_golden.h: inputs, values and gradients of the selective scan and of
the causal convolution, by PyTorch autograd in float64 from the plain recurrences.

    python3 tests/golden/scan_golden.py
"""
import os

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(20)


def rand(*shape):
    # Few digits, so that the header stays small and the inputs are the same bits in C.
    return (torch.randn(*shape, dtype=torch.float64) * 1024).round() / 1024


def scan(u, delta, A, B, C, D, z, bias, h0, softplus):
    dt = delta if bias is None else delta + bias
    if softplus:
        dt = F.softplus(dt, threshold=1000.0)
    h = torch.zeros(u.shape[0], *A.shape, dtype=u.dtype) if h0 is None else h0
    y = []
    for t in range(u.shape[1]):
        decay = torch.exp(dt[:, t, :, None] * A)
        h = decay * h + (dt[:, t] * u[:, t])[:, :, None] * B[:, t, None, :]
        y.append((h * C[:, t, None, :]).sum(-1))
    y = torch.stack(y, 1)
    if D is not None:
        y = y + D * u
    return (y if z is None else y * F.silu(z)), h


def conv(x, weight, bias, tail, silu):
    taps = weight.shape[1]
    if tail is None:
        tail = torch.zeros(x.shape[0], taps - 1, x.shape[2], dtype=x.dtype)
    all_x = torch.cat([tail, x], 1)
    s = F.conv1d(all_x.transpose(1, 2), weight[:, None, :], bias, groups=x.shape[2]).transpose(1, 2)
    return (F.silu(s) if silu else s), all_x[:, x.shape[1]:]


def array(name, x):
    values = [repr(v) for v in x.detach().reshape(-1).tolist()]
    lines, line = [], ''
    for v in values:
        if len(line) + len(v) > 95:
            lines.append(line.rstrip())
            line = ''
        line += v + ', '
    lines.append(line.rstrip(', '))
    return 'static const double %s[] = {\n  %s};\n' % (name, '\n  '.join(lines))


def case(name, inputs, run):
    """One array for each input, output, gradient of an output and gradient of an input."""
    for x in inputs.values():
        x.requires_grad_()
    outputs = run(inputs)
    weights = {k: rand(*v.shape) for k, v in outputs.items()}
    sum((outputs[k] * weights[k]).sum() for k in outputs).backward()
    text = ''.join(array('%s_%s' % (name, k), v) for k, v in inputs.items())
    text += ''.join(array('%s_%s' % (name, k), v) for k, v in outputs.items())
    text += ''.join(array('%s_grad_%s' % (name, k), v) for k, v in weights.items())
    return text + ''.join(array('%s_grad_%s' % (name, k), v.grad) for k, v in inputs.items())


def write(path, what, text):
    with open(os.path.join(HERE, path), 'w') as f:
        f.write('/* %s, from PyTorch %s in float64. Made by scan_golden.py; do not edit. */\n%s'
                % (what, torch.__version__.split('+')[0], text))


b, t, d, n = 2, 5, 3, 4
full = case('full', dict(u=rand(b, t, d), delta=rand(b, t, d), A=-rand(d, n).abs(), B=rand(b, t, n),
                         C=rand(b, t, n), D=rand(d), z=rand(b, t, d), bias=rand(d),
                         h0=rand(b, d, n)),
            lambda i: dict(zip(('y', 'hT'), scan(*[i[k] for k in i], softplus=True))))
b, t, d, n = 1, 18, 2, 3
bare = case('bare', dict(u=rand(b, t, d), delta=rand(b, t, d).abs() / 4, A=-rand(d, n).abs(),
                         B=rand(b, t, n), C=rand(b, t, n)),
            lambda i: dict(zip(('y', 'hT'),
                               scan(*[i[k] for k in i], None, None, None, None, False))))
write('scan_golden.h',
      'Selective scan: full [batch 2, steps 5, channels 3, states 4] with softplus, D, z,\n'
      ' * delta_bias and h0; bare [1, 18, 2, 3] with none', full + bare)

silu = case('silu', dict(x=rand(2, 5, 3), weight=rand(3, 4), bias=rand(3), tail=rand(2, 3, 3)),
            lambda i: dict(zip(('y', 'tail_out'), conv(*[i[k] for k in i], silu=True))))
short = case('short', dict(x=rand(1, 2, 3), weight=rand(3, 4), tail=rand(1, 3, 3)),
             lambda i: dict(zip(('y', 'tail_out'),
                                conv(i['x'], i['weight'], None, i['tail'], False))))
write('conv_golden.h',
      'Causal convolution: silu [batch 2, steps 5, channels 3, taps 4] with bias and tail; short\n'
      ' * [1, 2, 3, 4] with a tail, fewer steps than the tail', silu + short)
