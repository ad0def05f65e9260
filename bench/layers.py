"""The cases of tensors, layers and models beside PyTorch: each a function of the number of threads."""
from harness import Case, Peer

def add10(threads, requires_grad=False):
    import torch

    a, b = torch.randn(10), torch.randn(10)
    inputs = {"a": a.clone(), "b": b.clone()}
    a.requires_grad_(requires_grad)
    return Case(inputs, [Peer("torch", 10, lambda: a + b, lambda: {"y": (a + b).detach()})])


def add10_recorded(threads):
    return add10(threads, True)


def wide(name):
    """An op on 64 x 1024 x 512. PyTorch gives each result fresh memory, which the system must map;
    rill takes it from the context's cache. So the ops that can write into a given tensor are measured
    so, too."""

    def make(threads):
        import torch
        import torch.nn.functional as F

        a = torch.randn(64, 1024, 512)
        inputs, moves, out = {"a": a}, 2, None
        if name == "add":
            b = inputs["b"] = torch.randn(64, 1024, 512)
            moves, step, out = 3, lambda: a + b, lambda y: torch.add(a, b, out=y)
        elif name == "exp":
            step, out = lambda: torch.exp(a), lambda y: torch.exp(a, out=y)
        elif name == "gelu":
            step = lambda: F.gelu(a)
        elif name == "softmax":
            step, out = lambda: F.softmax(a, -1), lambda y: torch.softmax(a, -1, out=y)
        else:
            weight, bias = inputs["weight"], inputs["bias"] = torch.randn(512), torch.randn(512)
            step = lambda: F.layer_norm(a, (512,), weight, bias, 1e-5)
        peers = [Peer("torch", 2, step, lambda: {"y": step()})]
        if out:
            y = torch.empty_like(a)
            peers.append(Peer("torch out=", None, lambda: out(y), lambda: {"y": out(y)}))
        return Case(inputs, peers, 1e-6, bytes=moves * 4 * a.numel(), peak_goal=0.6)

    return make


def with_grads(forward, tensors, seed, result=lambda name, t: t):
    """One forward and backward pass, and what it gives by rill's names."""

    def step():
        for t in tensors.values():
            t.grad = None
        y = forward()
        y.backward(seed)
        return y

    def results():
        y = step().detach()
        return {"y": result("y", y), **{"grad." + n: result(n, t.grad) for n, t in tensors.items()}}

    return step, results


def attention_fwd_bwd(threads):
    import torch
    import torch.nn.functional as F

    batch, heads, time_, width = 4, 8, 1024, 64
    tensors = {n: torch.randn(batch, heads, time_, width) for n in "qkv"}
    seed = torch.randn(batch, heads, time_, width)
    # rill has time before heads.
    inputs = {n: t.transpose(1, 2).contiguous() for n, t in (*tensors.items(), ("seed", seed))}
    for t in tensors.values():
        t.requires_grad_()
    step, results = with_grads(
        lambda: F.scaled_dot_product_attention(*tensors.values(), is_causal=True),
        tensors, seed, lambda name, t: t.transpose(1, 2))  # fmt: skip
    # Two products forward and five backward, half of each masked.
    flops = 7 * 2 * batch * heads * time_ * time_ * width / 2
    return Case(inputs, [Peer("torch sdpa", 1, step, results)], 1e-5, flops=flops)


def selective_scan_fwd_bwd(threads):
    import torch

    batch, length, width, states = 4, 1024, 512, 16
    t = {
        "u": torch.randn(batch, length, width),
        "delta": 10 ** (-3 + 2 * torch.rand(batch, length, width)),  # Mamba begins with 0.001 ... 0.1
        "A": -torch.arange(1.0, states + 1).repeat(width, 1),
        "B": torch.randn(batch, length, states),
        "C": torch.randn(batch, length, states),
    }
    seed = torch.randn(batch, length, width)
    inputs = {**{n: v.clone() for n, v in t.items()}, "seed": seed}
    for v in t.values():
        v.requires_grad_()

    def loop():
        h, y = torch.zeros(batch, width, states), []
        for u, delta, b, c in zip(*(t[n].unbind(1) for n in ("u", "delta", "B", "C"))):
            h = torch.exp(delta.unsqueeze(-1) * t["A"]) * h + (delta * u).unsqueeze(-1) * b.unsqueeze(1)
            y.append((h @ c.unsqueeze(-1)).squeeze(-1))
        return torch.stack(y, 1)

    def associative(chunk=16):
        """h_t = exp(L_t) (h_0 + sum_s<=t x_s exp(-L_s)), L the running sum of delta A, in chunks short
        enough that exp(-L) stays small. The sum is a product with a triangle of ones; that, this chunk
        and chunks one after the other were the fastest of what was tried: see notes.md."""
        h, y, ones = torch.zeros(batch, 1, width, states), [], torch.ones(chunk, chunk).tril()
        for u, delta, b, c in zip(*(t[n].split(chunk, 1) for n in ("u", "delta", "B", "C"))):
            log_a = delta.cumsum(1).unsqueeze(-1) * t["A"]
            x = (delta * u).unsqueeze(-1) * b.unsqueeze(2) * torch.exp(-log_a)
            all_h = torch.exp(log_a) * (h + (ones @ x.flatten(2)).view_as(x))
            h = all_h[:, -1:]
            y.append((all_h @ c.unsqueeze(-1)).squeeze(-1))
        return torch.cat(y, 1)

    peers = [
        Peer("torch loop", 10, *with_grads(loop, t, seed)),
        Peer("torch associative", 3, *with_grads(associative, t, seed)),
    ]
    return Case(inputs, peers, 1e-4)


def training(model, batch, target, fused, max_norm=0):
    """AdamW on a model; the results are the loss and the parameters after it."""
    import torch
    import torch.nn.functional as F

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=fused)

    def step():
        loss = F.cross_entropy(model(batch).flatten(0, -2), target.flatten())
        loss.backward()
        if max_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    def results():
        loss = step().detach()
        return {"loss": loss, **{n: p.detach() for n, p in model.named_parameters()}}

    return step, results


def training_case(model, batch, target, goal, **facts):
    import copy

    inputs = {n: p.detach().clone() for n, p in model.named_parameters()}
    inputs.update(input=batch, target=target)
    peers = []
    max_norm = facts.pop("max_norm", 0)
    for name, fused in (("torch", None), ("torch fused AdamW", True)):
        peers.append(Peer(name, goal, *training(copy.deepcopy(model), batch, target, fused, max_norm)))
    return Case(inputs, peers, 1e-3, steps_before=2, **facts)


def mlp_step(threads):
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return training_case(model, torch.randn(32, 64), torch.randint(0, 10, (32,)), 10)


def transformer():
    """The demo's attention model (examples/charlm.c), with rill's parameter names."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    width, heads, longest = 128, 4, 128
    angles = torch.outer(torch.arange(longest), 10000 ** (-torch.arange(0, width // heads, 2) * heads / width))
    cos, sin = angles.cos(), angles.sin()

    def rope(x, first):
        c, s = cos[first : first + x.shape[2]], sin[first : first + x.shape[2]]
        a, b = x.chunk(2, -1)
        return torch.cat((a * c - b * s, b * c + a * s), -1)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                setattr(self, name, nn.Linear(width, width, bias=False))

        def forward(self, x, cache=None):
            q, k, v = (p(x).unflatten(-1, (heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
            first = cache["steps"] if cache else 0
            q, k = rope(q, first), rope(k, first)
            if cache:
                keys, values = cache[self]
                last = first + k.shape[2]
                keys[:, :, first:last], values[:, :, first:last] = k, v
                k, v = keys[:, :, :last], values[:, :, :last]
            y = F.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1)
            return self.out_proj(y.transpose(1, 2).flatten(2))

    class Residual(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.inner = nn.Sequential(nn.RMSNorm(width, eps=1e-5), layer)

        def forward(self, x, cache=None):
            norm, layer = self.inner
            return x + (layer(norm(x), cache) if cache and isinstance(layer, Attention) else layer(norm(x)))

    class Model(nn.Sequential):
        def forward(self, x, cache=None):
            for layer in self:
                x = layer(x, cache) if isinstance(layer, Residual) else layer(x)
            return x

        def new_cache(self):
            kept = [m for m in self.modules() if isinstance(m, Attention)]
            return {"steps": 0, **{m: torch.empty(2, 1, heads, longest, width // heads) for m in kept}}

    layers = [nn.Embedding(256, width)]
    for _ in range(4):
        mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        layers += [Residual(Attention()), Residual(mlp)]
    return Model(*layers, nn.RMSNorm(width, eps=1e-5), nn.Linear(width, 256))


def transformer_step(threads):
    import torch

    model, tokens = transformer(), 8 * 128
    matrices = sum(p.numel() for p in model[1:].parameters() if p.ndim == 2)
    flops = 6 * matrices * tokens + 4 * 7 * 2 * 8 * 128 * 128 * 128 / 2  # products, and attention as above
    text = torch.randint(0, 256, (8, 129))
    return training_case(model, text[:, :-1].contiguous(), text[:, 1:].contiguous(), 2, flops=flops, max_norm=1.0)


def charlm_decode(threads):
    import torch

    model = transformer().eval()
    prompt = torch.randint(0, 256, (1, 16))
    inputs = {n: p.detach().clone() for n, p in model.named_parameters()}

    def step():
        with torch.inference_mode():
            cache, x, tokens = model.new_cache(), prompt, []
            for _ in range(112):
                logits = model(x, cache)[:, -1]
                cache["steps"] += x.shape[1]
                x = logits.argmax(-1, keepdim=True)
                tokens.append(x)
            return torch.cat(tokens, 1)

    return Case({**inputs, "prompt": prompt}, [Peer("torch", None, step, lambda: {"tokens": step()})], 0, per=112, unit="token")


CASES = [
    ("add10", add10, (1,)),
    ("add10_recorded", add10_recorded, (1,)),
    ("mlp_step", mlp_step, (1,)),
    *((name, wide(name), (1,)) for name in ("add", "exp", "gelu", "softmax", "layer_norm")),
    ("attention_fwd_bwd", attention_fwd_bwd, (1, 2)),
    ("selective_scan_fwd_bwd", selective_scan_fwd_bwd, (1,)),
    ("transformer_step", transformer_step, (2,)),
    ("charlm_decode", charlm_decode, (1,)),
]
