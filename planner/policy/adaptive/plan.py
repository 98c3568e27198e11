"""A plan: what to draw, draw by draw, and how sure the answer must be to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planner.core import Unit
from planner.policy.adaptive.draws import Draw
from planner.policy.adaptive.logistic import Doubles


@dataclass(frozen=True)
class Plan:
    """Draws in order; after each, drawing ends if the best answer is right with at least that chance.

    by_votes: the chance is that of the Beta rule, that the answer with most votes is the most likely one.
    """

    draws: tuple[Draw, ...]
    stop_at: tuple[float, ...]
    by_votes: bool = False

    def __len__(self) -> int:
        return len(self.draws)


@dataclass(frozen=True)
class Costed:
    """A plan with its mean grade (L,) and its mean cost (L,) by unit, were it cut after 1, ..., L draws."""

    plan: Plan
    accuracy: Doubles
    cost: Mapping[Unit, Doubles]
