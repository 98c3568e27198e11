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


def use_by_bin(table: OutcomeTable, membership: Floats, factors: Floats, generators: tuple[str, ...]) -> BinUse:
    """Use of every slot, relative to the factors (P, 4, G) of length of its generator."""
    place = {name: g for g, name in enumerate(generators)}
    columns = [place[name] for name in table.slots.generator]

    def by_bin(usage: Usage) -> Floats:
        parts = [
            bin_means(getattr(usage, f.name), factors[:, part][:, columns], membership)
            for part, f in enumerate(fields(Usage))
        ]
        return np.stack(parts).astype(np.float32)

    return BinUse(by_bin(table.expected), by_bin(table.worst))


def latency_by_bin(
    table: OutcomeTable, seconds: Floats, membership: Floats, factors: Floats, generators: tuple[str, ...]
) -> Floats:
    """(B, A) seconds relative to the factor of completion tokens of the arm's first generator."""
    place = {name: g for g, name in enumerate(generators)}
    first = {int(arm): name for arm, name in reversed(list(zip(table.slots.arm, table.slots.generator, strict=True)))}
    columns = [place[first[arm]] for arm in range(len(table.arms))]
    return bin_means(seconds, factors[:, 2][:, columns], membership).astype(np.float32)


def bin_means(values: Floats, factors: Floats, membership: Floats) -> Doubles:
    """(B, C) means of `values` (P, C; NaN unknown) over what `factors` expect; a column that is constant stays so."""
    known = np.isfinite(values)
    spent = np.where(known, values, 0).astype(np.float64)
    expected = np.where(known, factors, 0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = spent.sum(axis=0) / expected.sum(axis=0)
        weights = membership.astype(np.float64).T
        means = (weights @ spent + SMOOTHING * level) / (weights @ expected + SMOOTHING)
    greatest = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    least = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    plain = (greatest == least) & (expected.sum(axis=0) == known.sum(axis=0))
    return np.where(plain, np.where(known.any(axis=0), greatest, np.nan), means)
