"""The training loop: for so many minutes, with a learning rate that rises, stays and falls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from planner.lab.training.muon import Muon
from planner.lab.training.network import Llama
from planner.lab.training.sequences import IGNORED, Batch

_SMOOTHING = 0.98
Report = Callable[[float, float | None, str | None], None]
"""Seconds done, seconds in all, and what is being done."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    muon: learning rate of Muon on the layers' matrices; None trains all with AdamW.
    decay_from: share of the time from which on the rate falls linearly, to 3% of it at the end.
    """

    minutes: float
    adam: float = 2e-3
    muon: float | None = None
    decay_from: float = 0.6
    warmup_steps: int = 60
    weight_decay: float = 0.0
    most_steps: int | None = None


@dataclass(frozen=True)
class Trained:
    """What a training came to; `loss` is the smoothed cross-entropy of a target in nats."""

    steps: int
    tokens: int
    seconds: float
    loss: float


def train(
    model: Llama,
    batches: Callable[[Callable[[], float]], Iterator[Batch]],
    plan: Plan,
    *,
    report: Report,
    clock: Callable[[], float] = time.monotonic,
) -> Trained:
    """Train `model` in place on what `batches` gives until the time is over.

    `batches` gets a function that tells the share of the time that has passed, by which it may change the mix.
    """
    optimisers = _optimisers(model, plan)
    clipped = model.others() if plan.muon is not None else list(model.parameters())
    started = clock()
    seconds = plan.minutes * 60
    steps = tokens = 0
    loss = float("nan")

    def passed() -> float:
        return (clock() - started) / seconds

    for batch in batches(passed):
        share = passed()
        if share >= 1 or steps == plan.most_steps:
            break
        for optimiser, rate in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * _rate(share, steps, plan)
        now = _step(model, batch, [optimiser for optimiser, _ in optimisers], clipped)
        loss = now if steps == 0 else _SMOOTHING * loss + (1 - _SMOOTHING) * now
        steps, tokens = steps + 1, tokens + batch.n_tokens
        report(min(seconds, clock() - started), seconds, f"step {steps}, loss {loss:.3f}")
    return Trained(steps, tokens, clock() - started, loss)


def loss_of(model: Llama, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the targets of a batch."""
    wanted = batch.targets[:, 1:]
    chosen = wanted != IGNORED
    first = int(chosen.any(0).nonzero()[0])
    states = model.hidden(batch.ids[:, :-1], first=first)
    return functional.cross_entropy(model.logits(states[chosen[:, first:]]), wanted[chosen])


def _step(model: Llama, batch: Batch, optimisers: list[torch.optim.Optimizer], clipped: list[torch.Tensor]) -> float:
    loss = loss_of(model, batch)
    model.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(clipped, 1.0)
    for optimiser in optimisers:
        optimiser.step()
    return float(loss.detach())


def _optimisers(model: Llama, plan: Plan) -> list[tuple[torch.optim.Optimizer, float]]:
    def adam(params: list[torch.Tensor]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(params, lr=plan.adam, betas=(0.9, 0.98), weight_decay=plan.weight_decay)

    if plan.muon is None:
        return [(adam([*model.matrices(), *model.others()]), plan.adam)]
    return [(Muon(model.matrices(), plan.muon), plan.muon), (adam(model.others()), plan.adam)]


def _rate(share: float, step: int, plan: Plan) -> float:
    """Share of the full learning rate: a warm-up, then all of it, then linearly down."""
    warm = min(1.0, (step + 1) / plan.warmup_steps)
    if share < plan.decay_from:
        return warm
    return warm * (0.03 + 0.97 * (1 - share) / (1 - plan.decay_from))
