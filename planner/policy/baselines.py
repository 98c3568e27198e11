"""What anyone can have without knowing a prompt: single arms, families of arms, and mixtures of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable
from planner.policy.frontier import Hull, mixture_hull

Mask = NDArray[np.bool_]
WELL_LOGGED = 0.5  # an arm logged on fewer prompts than this share says too little to be a yardstick


@dataclass(frozen=True)
class Means:
    """Mean accuracy and cost of every arm over some prompts, (A,); NaN where an arm is too seldom logged."""

    accuracy: Floats
    cost: Floats

    @classmethod
    def of(cls, outcome: Floats, cost: Floats) -> Means:
        """Means over prompts of outcome and cost, (P, A); a missing outcome is left out of both."""
        known = np.isfinite(outcome) & np.isfinite(cost)
        n = known.sum(axis=0)
        usable = n >= max(WELL_LOGGED * n.max(initial=0), 1)
        with np.errstate(invalid="ignore"):
            return cls(
                np.where(usable, np.where(known, outcome, 0).sum(axis=0) / n, np.nan),
                np.where(usable, np.where(known, cost, 0).sum(axis=0) / n, np.nan),
            )

    def hull(self, arms: Mask) -> Hull:
        """The mixture hull of the arms of a mask; its indices count all arms."""
        return mixture_hull(np.where(arms, self.cost, np.nan), np.where(arms, self.accuracy, np.nan))

    def best(self, arms: Mask, budget: float) -> int | None:
        """The most accurate arm of the mask whose mean cost is within `budget`."""
        fits = arms & (self.cost <= budget) & np.isfinite(self.accuracy)
        return int(np.where(fits, self.accuracy, -1).argmax()) if fits.any() else None


FAMILIES = (
    "single sample", "majority_vote", "weighted_vote", "best_of_n", "larger generator", "best single arm",
    "best fixed arm",
)  # fmt: skip
YARDSTICKS = ("mixture hull", "mixture hull, fixed arms", "oracle")
NAMES = FAMILIES + YARDSTICKS
"""All that a policy is compared with, where the logs have it."""


def fixed_arms(arms: tuple[Arm, ...]) -> Mask:
    """(A,) arms that do not adapt to what they draw."""
    return np.array([arm.search != "cascade" for arm in arms])


def families(table: OutcomeTable, reference: str) -> Mapping[str, Mask]:
    """Masks of the baselines' arms, those that exist: votes and best_of_n of the reference, larger generators."""
    larger = _largest(table, reference)

    def sampling(arm: Arm, generator: str) -> bool:
        return arm.search == "sampling" and arm.depth == 1 and arm.generator == generator

    rules: dict[str, Callable[[Arm], bool]] = {
        "single sample": lambda a: sampling(a, reference) and a.breadth == 1,
        "majority_vote": lambda a: sampling(a, reference) and (a.selection == "majority_vote" or a.breadth == 1),
        "weighted_vote": lambda a: sampling(a, reference) and (a.selection == "weighted_vote" or a.breadth == 1),
        "best_of_n": lambda a: sampling(a, reference) and (a.selection == "best_of_n" or a.breadth == 1),
        "larger generator": lambda a: larger is not None and a.search != "cascade" and a.generator == larger,
        "best single arm": lambda _: True,
        "best fixed arm": lambda a: a.search != "cascade",
    }
    masks = {name: np.array([rule(arm) for arm in table.arms], dtype=bool) for name, rule in rules.items()}
    return {name: mask for name, mask in masks.items() if mask.any()}


def _largest(table: OutcomeTable, reference: str) -> str | None:
    """The generator of most parameters (else of the dearest completion) apart from the reference."""

    def size(name: str) -> float:
        card = table.models.get(name)
        if card is None:
            return 0.0
        return card.active_params or card.usd_per_million_completion_tokens or 0.0

    others = sorted({name for arm in table.arms for name in arm.generators} - {reference})
    biggest = max(others, key=size, default=None)
    return biggest if biggest is not None and size(biggest) > size(reference) else None
