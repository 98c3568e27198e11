"""The honest yardsticks on held-out prompts: mixtures of two single arms, fixed families, and the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.core import Unit
from planner.curves.costs import logged_cost
from planner.curves.logs import Floats
from planner.policy.baselines import Mask
from planner.policy.comparable import known_mean
from planner.policy.exchange import share_between
from planner.policy.frontier import Hull
from planner.policy.held_out import HeldOut, Played
from planner.policy.restrict import SLACK

STEPS = 60


@dataclass(frozen=True)
class MixtureYardstick:
    """Mixture hulls chosen on the training prompts of every fold, judged on its held-out prompts.

    outcome, cost: for every fold, (P, vertices) on its held-out prompts.
    """

    hulls: tuple[Hull, ...]
    outcome: tuple[Floats, ...]
    cost: tuple[Floats, ...]

    @classmethod
    def of(cls, folds: Sequence[HeldOut], masks: Sequence[Mask]) -> MixtureYardstick:
        """From the folds and the arms that may be mixed in each."""
        hulls = tuple(fold.train.hull(mask) for fold, mask in zip(folds, masks, strict=True))
        pairs = list(zip(folds, hulls, strict=True))
        return cls(
            hulls,
            tuple(fold.table.outcome[:, list(hull.indices)] for fold, hull in pairs),
            tuple(fold.cost[:, list(hull.indices)] for fold, hull in pairs),
        )

    @classmethod
    def within(
        cls, folds: Sequence[HeldOut], masks: Sequence[Mask], ceilings: Mapping[Unit, float]
    ) -> MixtureYardstick | None:
        """The same of the arms that keep some ceilings; None where a fold has none that does."""
        fits = [mask & fold.fitting(ceilings) for fold, mask in zip(folds, masks, strict=True)]
        return cls.of(folds, fits).if_any

    @property
    def if_any(self) -> MixtureYardstick | None:
        """Itself; None where a fold has no arm to mix."""
        return self if all(hull.indices for hull in self.hulls) else None

    @property
    def cost_range(self) -> tuple[float, float]:
        """Mean training cost of the cheapest and of the dearest vertex, over the folds; 0, 0 where all are free.

        In place of a free vertex counts a tenth of the next: what lies between is had by mixing the two.
        """
        paid = [hull.costs for hull in self.hulls if hull.indices and hull.costs[-1] > 0]
        costs = [(cost[0] or cost[1] / 10, cost[-1]) for cost in paid]
        low, high = np.mean(costs or [(0, 0)], axis=0)
        return float(low), float(high)

    @property
    def dearest_beginning(self) -> float:
        """Mean training cost of the cheapest vertex where it is greatest: every fold has a mixture for that."""
        return max((float(hull.costs[0]) for hull in self.hulls if hull.indices), default=0.0)

    def nominal(self, cost: float) -> Played:
        """All held-out prompts, fold by fold, under the mixture that cost `cost` a prompt in training."""
        played = [self._fold(i, cost) for i in range(len(self.hulls))]
        outcome, spent = (np.concatenate(parts) for parts in zip(*played, strict=True))
        return Played(outcome, spent, np.full(len(outcome), -1, dtype=np.intp))

    def at(self, cost: float, known: Mask) -> Played:
        """The same at a REALISED mean cost of `cost` over the prompts `known`, or as near as the hull goes."""
        low, high = (f(hull.costs[i] for hull in self.hulls) for f, i in ((min, 0), (max, -1)))
        for _ in range(STEPS):
            middle = (low + high) / 2
            if known_mean(self.nominal(middle).cost[known]) > cost:
                high = middle
            else:
                low = middle
        return self.nominal(low)

    def _fold(self, i: int, cost: float) -> tuple[Floats, Floats]:
        hull = self.hulls[i]
        mixture = hull.mixture(max(cost, float(hull.costs[0])))
        assert mixture is not None
        columns = [hull.indices.index(mixture.lower), hull.indices.index(mixture.upper)]
        shares = np.array([1 - mixture.share, mixture.share])
        used = [column for column, share in zip(columns, shares, strict=True) if share > 0]
        shares = shares[shares > 0]
        outcome, spent = self.outcome[i][:, used], self.cost[i][:, used]
        return (outcome * shares).sum(axis=1), (spent * shares).sum(axis=1)


def single_arm(fold: HeldOut, mask: Mask, budget: float) -> Played:
    """The arm of a family that is best on the training prompts within the budget, for all prompts."""
    arm = fold.train.best(mask, budget)
    if arm is None:
        return Played.nothing(len(fold.table.prompts))
    return fold.take_up(np.full(len(fold.table.prompts), arm, dtype=np.intp))


def oracle(folds: Sequence[HeldOut], value: float, ceilings: Mapping[Unit, float]) -> Played:
    """The best arm of every prompt, its outcomes known beforehand, at a mean cost of `value` over all folds.

    Every prompt's arm keeps the ceilings. The two vertices of the exchange rate are mixed, as a policy mixes them.
    """
    known = [np.isfinite(fold.table.outcome) & np.isfinite(fold.cost) & _keeping(fold, ceilings) for fold in folds]

    def choose(rate: float) -> Played:
        worth = (
            np.where(ok, fold.table.outcome - rate * fold.cost, -np.inf) for fold, ok in zip(folds, known, strict=True)
        )
        arms = (np.where(ok.any(axis=1), w.argmax(axis=1), -1) for ok, w in zip(known, worth, strict=True))
        return joined([fold.take_up(arm) for fold, arm in zip(folds, arms, strict=True)])

    low, high = 0.0, 1e6 / value
    for _ in range(STEPS + 40):
        middle = (low + high) / 2
        low, high = (middle, high) if known_mean(choose(middle).cost) > value else (low, middle)
    more, less = choose(low), choose(high)
    share = share_between(value, known_mean(less.cost), known_mean(more.cost))
    return Played(
        share * more.outcome + (1 - share) * less.outcome,
        share * more.cost + (1 - share) * less.cost,
        np.where(more.arm == less.arm, less.arm, -1),
    )


def _keeping(fold: HeldOut, ceilings: Mapping[Unit, float]) -> Mask:
    """(P, A) arms whose worst cost on a held-out prompt is within every ceiling."""
    keeps = np.ones(fold.cost.shape, dtype=bool)
    for unit, ceiling in ceilings.items():
        keeps &= logged_cost(fold.table, unit, worst=True) <= ceiling * SLACK
    return keeps


def joined(parts: Sequence[Played]) -> Played:
    """The folds' held-out prompts one after the other."""
    return Played(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("outcome", "cost", "arm")))
