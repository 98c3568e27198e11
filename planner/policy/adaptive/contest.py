"""Plans against cascades on prompts held out: where they are no better, a session is the cascade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.core import Unit
from planner.curves.cascade_draws import Source, source
from planner.curves.logs import Floats, Logs
from planner.policy.adaptive.learn import FEWEST_PROMPTS, Learned, learn
from planner.policy.adaptive.logistic import Doubles
from planner.policy.adaptive.model import Adaptive, Contest
from planner.policy.adaptive.plan import Plan
from planner.policy.adaptive.plans import carry
from planner.policy.adaptive.replays import replay_pools, replayable
from planner.policy.adaptive.seen import Judged, Seen
from planner.policy.held_out import HeldOut
from planner.policy.yardstick import MixtureYardstick

if TYPE_CHECKING:
    from planner.policy.evaluate import Evaluation

ORDERS = 16
N_CEILINGS = 8
N_MEANS = 14
SPENT = 4.0
"""Averages are tried up to so many times the cost of the dearest plan."""


def fit_adaptive(logs: Logs, evaluation: Evaluation, *, seed: int = 0) -> Adaptive | None:
    """What sessions are to decide by, judged on the folds of `evaluation`; None where too little is logged for it."""
    laid = source(logs)
    trials = trials_of(logs, laid, evaluation, seed=seed)
    learned = learn(logs, laid, _graded(evaluation), seed=seed, foreseen=_foreseen(evaluation)) if trials else None
    if trials is None or learned is None:
        return None
    units = [
        unit for unit in learned.priced if all(unit in trial.learned.priced for trial in trials) and _paid(trials, unit)
    ]
    return Adaptive.of(
        learned,
        {unit: by_mean_cost(trials, unit) for unit in units},
        {unit: by_ceiling(trials, unit) for unit in units},
    )


def trials_of(logs: Logs, laid: Source, evaluation: Evaluation, *, seed: int) -> list[Trial] | None:
    """One trial a fold, learned on the other folds; None where any of them is too small."""
    trials, first = [], 0
    for fold in evaluation.folds:
        test = evaluation.rows[first : first + len(fold.table.prompts)]
        first += len(test)
        train = np.setdiff1d(evaluation.judged, test)
        foreseen = np.full(len(logs.prompts), np.nan, dtype=np.float32)
        foreseen[train] = fold.policy.predictor.belief_.pass_rate
        learned = learn(logs, laid, train, seed=seed, foreseen=foreseen)
        trial = None if learned is None else Trial.of(learned, fold, logs, laid, test, seed=seed)
        if trial is None:
            return None
        trials.append(trial)
    return trials


def _foreseen(evaluation: Evaluation) -> Floats:
    """(P,) pass rates as the folds' policies foresee them for prompts that they were not fitted on."""
    foreseen = np.full(len(evaluation.table.prompts), np.nan, dtype=np.float32)
    foreseen[evaluation.rows] = np.concatenate(
        [fold.policy.believe(fold.prompts).pass_rate for fold in evaluation.folds]
    )
    return foreseen


def _graded(evaluation: Evaluation) -> NDArray[np.intp]:
    return np.flatnonzero(np.isfinite(evaluation.table.outcome).any(axis=1))


@dataclass(frozen=True)
class Trial:
    """One fold: what was learned without it, and its prompts (`rows` of the fold's table) to try it on.

    foreseen: (R,) pass rates that the texts of these prompts promise.
    """

    learned: Learned
    fold: HeldOut
    rows: NDArray[np.intp]
    seen: Seen
    foreseen: Floats
    _played: dict[tuple[Plan, Unit], tuple[Doubles, Doubles]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, learned: Learned, fold: HeldOut, logs: Logs, laid: Source, test: NDArray[np.intp], *, seed: int
    ) -> Trial | None:
        """Lay the fold's replays out; None where hardly any of its prompts can be replayed."""
        where = learned.where
        rows = np.flatnonzero(replayable(laid, where.places, where.pools)[test])
        if len(rows) < FEWEST_PROMPTS // 5:
            return None
        order = np.argsort(test[rows])
        rows = rows[order]
        replays = replay_pools(logs, laid, where.places, where.pools, test[rows], n_orders=ORDERS, seed=seed)
        foreseen = fold.policy.believe(fold.prompts).pass_rate[rows]
        return cls(learned, fold, rows, Seen(replays, [Judged(learned.model, np.arange(len(replays)))]), foreseen)

    def play(self, plan: Plan, unit: Unit, most: int | None = None) -> tuple[Doubles, Doubles]:
        """Grade and cost of a plan, or of its first `most` draws, by prompt of `rows`."""
        carried, length = carry(plan, self.seen), len(plan) if most is None else most
        cost = carried.cost(self.seen.replays.cost[unit])[length - 1]
        return _by_prompt(carried.grade[length - 1]), _by_prompt(cost)

    def average(self, unit: Unit, mean: float) -> tuple[Doubles, Doubles]:
        """Grade and cost by prompt of sessions that are to cost `mean` on average, or the least they can."""
        adaptive, mixed = Adaptive.of(self.learned, {}, {}), []
        for row, foreseen in enumerate(self.foreseen.tolist()):
            mixture = adaptive.average(unit, mean, foreseen=foreseen) or adaptive.cheapest(unit)
            low, high = (self._whole(self.learned.plans[place].plan, unit) for place in (mixture.lower, mixture.upper))
            share = mixture.share
            mixed.append([(1 - share) * low[part][row] + share * high[part][row] for part in (0, 1)])
        grade, cost = np.array(mixed, dtype=np.float64).T
        return grade, cost

    def _whole(self, plan: Plan, unit: Unit) -> tuple[Doubles, Doubles]:
        if (plan, unit) not in self._played:
            self._played[plan, unit] = self.play(plan, unit)
        return self._played[plan, unit]

    def only(self, unit: Unit) -> HeldOut:
        """The fold's prompts that are tried, costs in `unit`."""
        known, test = self.fold.known, self.fold.table.take_prompts(self.rows)
        return HeldOut.of(self.fold.policy, known, test, unit)


def by_mean_cost(trials: Sequence[Trial], unit: Unit) -> Contest:
    """Sessions at each average over traffic against the mixture hull of all arms there, or at what was really spent."""
    folds = [trial.only(unit) for trial in trials]
    hull = MixtureYardstick.of(folds, [np.ones(len(fold.policy.arms), dtype=np.bool_) for fold in folds])
    costs, points = _paid(trials, unit), []
    for mean in np.geomspace(min(costs), SPENT * max(costs), N_MEANS).tolist():
        grade, cost = (np.concatenate(p) for p in zip(*(trial.average(unit, mean) for trial in trials), strict=True))
        # Whoever leaves a part of the average unspent is compared with what all of it could buy.
        rival = hull.at(max(mean, float(cost.mean())), np.ones(len(cost), dtype=np.bool_))
        points.append(_point(mean, grade - rival.outcome))
    return _contest(points)


def _paid(trials: Sequence[Trial], unit: Unit) -> list[float]:
    """Mean costs of the trials' plans, those of free ones left out."""
    costs = [float(costed.cost[unit][-1]) for trial in trials for costed in trial.learned.plans]
    return [cost for cost in costs if cost > 0]


def by_ceiling(trials: Sequence[Trial], unit: Unit) -> Contest:
    """The best plan under each ceiling against the best arm under it, both chosen on the other folds."""
    folds = [trial.only(unit) for trial in trials]
    means = [trial.seen.replays.cost[unit].mean(axis=0) for trial in trials]
    least, most = max(float(mean[mean > 0].min()) for mean in means), max(float(mean.sum()) for mean in means)
    points = []
    for ceiling in np.geomspace(1.01 * least, most, N_CEILINGS).tolist():
        found = [_under(trial, fold, unit, ceiling) for trial, fold in zip(trials, folds, strict=True)]
        points.append(_point(ceiling, np.concatenate(found)))
    return _contest(points)


def _under(trial: Trial, fold: HeldOut, unit: Unit, ceiling: float) -> Doubles:
    """Accuracy gained over the best arm under one ceiling, by prompt."""
    adaptive = Adaptive.of(trial.learned, {}, {})
    lengths = adaptive.fitting({unit: ceiling})
    place = adaptive.most_accurate(lengths, unit)
    arm = fold.train.best(fold.fitting({unit: ceiling}), np.inf)
    own = (
        np.zeros(len(trial.rows))
        if place is None
        else trial.play(trial.learned.plans[place].plan, unit, lengths[place])[0]
    )
    return own - (0.0 if arm is None else fold.table.outcome[:, arm])


def _by_prompt(values: Doubles) -> Doubles:
    return np.asarray(values.reshape(-1, ORDERS).mean(axis=1))


def _point(amount: float, gain: NDArray[np.floating]) -> tuple[float, float, float]:
    known = gain[np.isfinite(gain)]
    if not len(known):
        return amount, 0.0, np.inf
    return amount, float(known.mean()), float(known.std() / np.sqrt(len(known)))


def _contest(points: Sequence[tuple[float, float, float]]) -> Contest:
    """By rising cost; gains are averaged with those beside them, since each alone is within its noise."""
    amount, gain, stderr = np.array(sorted(points)).T
    distinct = np.concatenate([[True], np.diff(amount) > 1e-6 * amount[1:]])
    amount, gain, stderr = amount[distinct], gain[distinct], stderr[distinct]
    padded = np.concatenate([gain[:1], gain, gain[-1:]])
    return Contest(amount, (padded[:-2] + padded[1:-1] + padded[2:]) / 3, stderr)
