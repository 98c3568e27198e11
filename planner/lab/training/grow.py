"""A larger model out of a smaller one that computes the same at first."""

from __future__ import annotations

import torch
from torch import Tensor

from planner.lab.training.network import Llama

TIMES = 3
_NEW_ROWS = 0.02


def grown(small: Llama, *, seed: int, times: int = TIMES, noise: float = 0.02) -> Llama:
    """`small` made `times` as wide and one layer deeper, its logits those of `small` but for the noise.

    States are repeated `times` over; matrices read their mean, new heads and units are read with weight 0, and the
    new layer adds nothing: it begins as a model that works. Noise on the weights that read, as a share of each, tells
    the copies apart. Source: Net2Net (Chen et al. 2016, arXiv 1511.05641).
    """
    rng = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {
        "model.embed_tokens.weight": small.weight("model.embed_tokens.weight").detach().repeat(1, times)
    }
    for layer in range(small.n_layers):
        weights |= _widened(small, layer, times, noise, rng)
    weights |= _idle(small, times, rng)
    weights["model.norm.weight"] = small.weight("model.norm.weight").detach().repeat(times) / times
    counts = ("hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    config = small.config | {name: times * small.config[name] for name in counts}
    return Llama(config | {"num_hidden_layers": small.n_layers + 1}, weights)


_GAINS = ("input_layernorm", "post_attention_layernorm")
_READING = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj")
_WRITING = ("self_attn.o_proj", "mlp.down_proj")


def _widened(small: Llama, layer: int, times: int, noise: float, rng: torch.Generator) -> dict[str, Tensor]:
    def weight(name: str) -> Tensor:
        return small.weight(_name(layer, name)).detach()

    found = {_name(layer, name): weight(name).repeat(times) for name in _GAINS}
    for name in _READING:
        mean = (weight(name) / times).repeat(1, times)
        mean = mean * (1 + noise * torch.randn(mean.shape, generator=rng))
        new = _NEW_ROWS * torch.randn((times - 1) * mean.shape[0], mean.shape[1], generator=rng)
        found[_name(layer, name)] = torch.cat([mean, new])
    for name in _WRITING:
        written = weight(name).repeat(times, 1)
        unread = torch.zeros(written.shape[0], (times - 1) * written.shape[1])
        found[_name(layer, name)] = torch.cat([written, unread], 1)
    return found


def _idle(small: Llama, times: int, rng: torch.Generator) -> dict[str, Tensor]:
    """One more layer, which writes nothing."""
    old, new = small.n_layers - 1, small.n_layers
    found = {_name(new, name): torch.ones(times * small.width) for name in _GAINS}
    for name in (*_READING, *_WRITING):
        rows, columns = (times * size for size in small.weight(_name(old, name)).shape)
        drawn = _NEW_ROWS * torch.randn(rows, columns, generator=rng)
        found[_name(new, name)] = torch.zeros(rows, columns) if name in _WRITING else drawn
    return found


def _name(layer: int, name: str) -> str:
    return f"model.layers.{layer}.{name}.weight"
