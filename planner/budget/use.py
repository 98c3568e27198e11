"""Mean use of every slot by bin, with thin bins filled from the slot's own level."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from planner.curves.table import OutcomeTable, Usage

if TYPE_CHECKING:
    from planner.budget.strengths import Doubles
    from planner.curves.logs import Floats

SMOOTHING = 5.0  # prompts of the average difficulty that every bin is given


@dataclass(frozen=True)
class BinUse:
    """(4, B, S) generations, prompt, completion and verifier tokens of a slot on a prompt of the bin."""

    expected: Floats
    worst: Floats


@dataclass(frozen=True)
class Training:
    """What the logged prompts are known and believed to be.

    membership: (P, B) in the bins from all outcomes. believed: (P, B) from the text alone, out of fold. factors:
    (P, 4, G) of length.
    """

    membership: Floats
    believed: Floats
    factors: Floats


def use_by_bin(table: OutcomeTable, training: Training, generators: tuple[str, ...]) -> BinUse:
    """Use of every slot, relative to the factors of length of its generator."""
    place = {name: g for g, name in enumerate(generators)}
    columns = [place[name] for name in table.slots.generator]

    def by_bin(usage: Usage) -> Floats:
        parts = [
            bin_means(getattr(usage, f.name), training.factors[:, part][:, columns], training)
            for part, f in enumerate(fields(Usage))
        ]
        return np.stack(parts).astype(np.float32)

    return BinUse(by_bin(table.expected), by_bin(table.worst))


def latency_by_bin(table: OutcomeTable, seconds: Floats, training: Training, generators: tuple[str, ...]) -> Floats:
    """(B, A) seconds relative to the factor of completion tokens of the arm's first generator."""
    place = {name: g for g, name in enumerate(generators)}
    first = {int(arm): name for arm, name in reversed(list(zip(table.slots.arm, table.slots.generator, strict=True)))}
    columns = [place[first[arm]] for arm in range(len(table.arms))]
    return bin_means(seconds, training.factors[:, 2][:, columns], training).astype(np.float32)


def bin_means(values: Floats, factors: Floats, training: Training) -> Doubles:
    """(B, C) means of `values` (P, C; NaN unknown) over what `factors` (P, C) expect; a constant column stays so.

    Forecasts from them, of the training prompts by their believed bins, have the mean that was logged.
    """
    known = np.isfinite(values)
    spent = np.where(known, values, 0).astype(np.float64)
    expected = np.where(known, factors, 0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = spent.sum(axis=0) / expected.sum(axis=0)
        weights = training.membership.astype(np.float64).T
        means = (weights @ spent + SMOOTHING * level) / (weights @ expected + SMOOTHING)
        forecast = (expected * (training.believed.astype(np.float64) @ means)).sum(axis=0)
        # Text that tells of hard prompts tells of long answers too: counted in both, they would be charged twice.
        means *= np.where(forecast > 0, spent.sum(axis=0) / forecast, 1.0)
    greatest = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    least = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    plain = (greatest == least) & (expected.sum(axis=0) == known.sum(axis=0))
    return np.where(plain, np.where(known.any(axis=0), greatest, np.nan), means)
