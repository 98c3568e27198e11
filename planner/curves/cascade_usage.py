"""What cascades spend, by (generator, verifier) that they may call, and what their outcomes rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planner.core import Arm
from planner.curves.cascade_draws import Source
from planner.curves.cascade_replay import Replay
from planner.curves.cascade_trace import Draw, Plan
from planner.curves.logs import Floats, Logs
from planner.curves.table import Slots, Usage
from planner.curves.usage import generations_a_sample, written_by

# A stage that hardly a replay reaches weighs no more than this allows.
LEAST_REACHED = 0.01
KINDS = ("generations", "prompt_tokens", "completion_tokens", "verifier_tokens")


def slots_of(arms: Sequence[Arm], plans: Sequence[Plan], laid: Source, logs: Logs) -> tuple[Slots, list[list[int]]]:
    """Slots of all arms, and the slot of each stage of each arm: stages of one model share theirs."""
    arm: list[int] = []
    generator: list[str] = []
    verifier: list[str | None] = []
    pool: list[int] = []
    places: list[list[int]] = []
    for number, (one, plan) in enumerate(zip(arms, plans, strict=True)):
        known: dict[tuple[str, str | None, int], int] = {}
        places.append([])
        for stage, draw in zip(one.stages, plan, strict=True):
            key = (stage.generator, stage.verifier, draw.pool)
            if key not in known:
                known[key] = len(arm)
                arm.append(number)
                generator.append(stage.generator)
                verifier.append(stage.verifier)
                pool.append(laid.pool_of(draw.pool))
            places[-1].append(known[key])
    of = np.array(pool, np.int32)
    slots = Slots(np.array(arm, np.int32), tuple(generator), tuple(verifier), of, written_by(verifier, of, logs))
    return slots, places


def usage_of(
    logs: Logs, laid: Source, arms: Sequence[Arm], plans: Sequence[Plan], replays: Sequence[Replay]
) -> tuple[Slots, Usage, Usage]:
    """Slots of all arms with their expected and their worst use."""
    slots, places = slots_of(arms, plans, laid, logs)
    n_prompts = len(logs.prompts)
    expected, worst = (Usage(*(np.zeros((n_prompts, len(slots)), np.float32) for _ in KINDS)) for _ in range(2))
    means = WorstUse(laid)
    for plan, found, place in zip(plans, replays, places, strict=True):
        for stage, (draw, slot) in enumerate(zip(plan, place, strict=True)):
            for kind in KINDS:
                amount = np.where(np.isnan(found.outcome), np.float32(np.nan), means.of(draw, kind))
                getattr(worst, kind)[:, slot] += amount
                # Where nobody logged what a stage takes, prompts that never came to it are no measure of the others.
                own = np.where(np.isnan(amount), amount, getattr(found, kind)[:, stage])
                getattr(expected, kind)[:, slot] += own
    models = zip(slots.generator, slots.verifier, strict=True)
    each = np.array([generations_a_sample(*names, logs.models) for names in models], dtype=np.float32)
    expected, worst = (replace(use, generations=use.generations * each) for use in (expected, worst))
    return slots, expected, worst


class WorstUse:
    """Use of stages with every sample drawn, each at its mean tokens on that prompt."""

    def __init__(self, laid: Source) -> None:
        self._laid = laid
        self._means: dict[tuple[int, int, str], Floats] = {}

    def of(self, draw: Draw, kind: str) -> Floats:
        """Use of one stage in one kind, shape (prompts,)."""
        if kind == "generations":
            return np.full(len(self._laid.chains[draw.pool].n), draw.n, dtype=np.float32)
        if kind == "verifier_tokens" and not draw.verified:
            return np.zeros(len(self._laid.chains[draw.pool].n), dtype=np.float32)
        if draw.kind == "samples":
            return np.asarray(self._mean(draw.pool, 0, kind) * np.float32(draw.n))
        attempts = [self._mean(draw.pool, attempt, kind) for attempt in range(draw.n)]
        return np.asarray(np.sum(attempts, axis=0), dtype=np.float32)

    def _mean(self, pool: int, attempt: int, kind: str) -> Floats:
        key = (pool, attempt, kind)
        if key not in self._means:
            chains = self._laid.chains[pool]
            there = (chains.start >= 0) & (chains.depth > attempt)[:, None]
            values = getattr(self._laid.columns, kind)
            tokens = np.where(there, values[np.where(there, chains.start + attempt, 0)] if len(values) else 0, 0)
            with np.errstate(invalid="ignore"):
                self._means[key] = (tokens.sum(axis=1) / there.sum(axis=1)).astype(np.float32)
        return self._means[key]


def weights_of(laid: Source, plans: Sequence[Plan], replays: Sequence[Replay], n_prompts: int) -> Floats:
    """Independent samples behind each outcome, (prompts, arms): those of the scarcest pool.

    A pool that only some replays reach counts for more: its few samples decide less.
    """
    weight = np.zeros((n_prompts, len(plans)), np.float32)
    for arm, (plan, found) in enumerate(zip(plans, replays, strict=True)):
        drawn: dict[int, Floats] = {}
        for stage, draw in enumerate(plan):
            drawn[draw.pool] = drawn.get(draw.pool, np.zeros(n_prompts, np.float32)) + found.generations[:, stage]
        held = [laid.chains[pool].n / np.clip(n, LEAST_REACHED, 1) for pool, n in drawn.items()]
        weight[:, arm] = np.where(np.isnan(found.outcome), 0, np.min(held, axis=0))
    return weight
