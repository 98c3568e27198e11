"""From plays on held-out prompts to the figures of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Budget, Unit
from planner.curves.logs import Floats
from planner.difficulty import Belief
from planner.policy.baselines import Mask, families
from planner.policy.comparable import known_mean
from planner.policy.frontier import Hull, mixture_hull
from planner.policy.held_out import HeldOut, Played
from planner.policy.report import Choice, Coverage, Interval, Line, Multiple
from planner.policy.yardstick import MixtureYardstick

N_RESAMPLES = 500
Z_90 = 1.6448536
LEAST_GROUP = 30
SHOWN_ARMS = 3
USUAL_SIZE = 64  # what papers report a vote or best_of_n at


@dataclass(frozen=True)
class Bootstrap:
    """How often each prompt is drawn in each resample, (resamples, P): one draw for all figures, so all are paired."""

    counts: Floats

    @classmethod
    def of(cls, n_prompts: int, seed: int) -> Bootstrap:
        """Draw the resamples."""
        rng = np.random.default_rng([seed, 11])
        counts = rng.multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=N_RESAMPLES)
        return cls(counts.astype(np.float32))

    def interval(self, difference: Floats) -> Interval:
        """Mean of what is known of a paired difference, in points, with its 90% interval."""
        known = np.isfinite(difference)
        if not known.any():
            return Interval(value=float("nan"), low=float("nan"), high=float("nan"))
        means = (self.counts @ np.where(known, difference, 0)) / np.maximum(self.counts @ known.astype(np.float32), 1)
        low, high = np.percentile(means, [5, 95])
        return Interval(value=100 * float(difference[known].mean()), low=100 * float(low), high=100 * float(high))


def lines_of(
    played: Mapping[str, Mapping[str, Played]],
    budgets: Mapping[str, Budget],
    unit: Unit,
    hulls: Mapping[str, MixtureYardstick | None],
    fixed_hulls: Mapping[str, MixtureYardstick | None],
    bootstrap: Bootstrap,
) -> tuple[Line, ...]:
    """One line for each contender and budget that it can keep; mixture hulls by budget, None where none keeps it."""
    lines = []
    for contender, by_budget in played.items():
        for label, play in by_budget.items():
            known = np.isfinite(play.outcome)
            if not known.any():
                continue
            cost = float(play.cost[known].mean(dtype=np.float64))
            mean = budgets[label].mean
            at = cost if mean is None else max(cost, mean[1])
            hull, fixed_hull = hulls[label], fixed_hulls[label]
            against = contender.startswith("policy")
            rival = hull.at(at, known) if against and hull is not None else None
            fixed = fixed_hull.at(at, known) if against and fixed_hull is not None else None
            accuracy = float(play.outcome[known].mean(dtype=np.float64))
            lines.append(
                Line(
                    contender=contender,
                    budget=label,
                    budget_value=mean[1] if mean is not None else budgets[label].ceilings.get(unit, 0.0),
                    n_prompts=int(known.sum()),
                    accuracy=accuracy,
                    stderr=float(play.outcome[known].std(dtype=np.float64) / np.sqrt(known.sum())),
                    cost=cost,
                    hull=None if rival is None else _told(known_mean(rival.outcome[known])),
                    gain=_gain(play, rival, bootstrap),
                    gain_fixed=_gain(play, fixed, bootstrap),
                    regret=None if contender == "oracle" else _points(played["oracle"][label], known, accuracy),
                )
            )
    return tuple(lines)


def not_compared(lines: Sequence[Line]) -> list[str]:
    """What has to be said of the policy where the logs do not tell what it, or the hull, would have got."""
    own = [line for line in lines if line.contender == "policy"]
    alone = [line.budget for line in own if line.gain is None]
    if not alone:
        return []
    why = "no prompt is logged both with what the policy takes and with the arms of the mixture hull"
    return [f"no gain can be told at {', '.join(alone)}: {why}; log several arms on the same prompts"]


def _gain(play: Played, rival: Played | None, bootstrap: Bootstrap) -> Interval | None:
    """None too where no prompt has an outcome of both."""
    if rival is None or not np.isfinite(play.outcome - rival.outcome).any():
        return None
    return bootstrap.interval(play.outcome - rival.outcome)


def _told(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _points(oracle: Played, known: NDArray[np.bool_], accuracy: float) -> float | None:
    best = known_mean(oracle.outcome[known])
    return _told(100 * (best - accuracy))


def multiples_of(folds: Sequence[HeldOut], policy: Mapping[str, Played]) -> tuple[Multiple, ...]:
    """What the policy needs for the accuracy of votes and best_of_n, of 64 and the most, and of the best fixed arm."""
    plays = [play for play in policy.values() if np.isfinite(play.cost).any()]
    curve = mixture_hull([float(np.nanmean(p.cost)) for p in plays], [float(np.nanmean(p.outcome)) for p in plays])
    masks = [families(fold.table, fold.policy.predictor.reference_) for fold in folds]
    out = []
    for name in ("majority_vote", "weighted_vote", "best_of_n"):
        if all(name in mask for mask in masks):
            by_size = [_by_size(fold, mask[name]) for fold, mask in zip(folds, masks, strict=True)]
            in_all = set.intersection(*(set(places) for places in by_size))
            for size in sorted(in_all & {USUAL_SIZE, max(in_all, default=0)}):
                arms = [places[size] for places in by_size]
                out += _multiple(f"{name}, {size}", folds, arms, curve, 0.0)
    fixed = [mask.get("best fixed arm") for mask in masks]
    best = [None if own is None else fold.train.best(own, np.inf) for fold, own in zip(folds, fixed, strict=True)]
    arms = [arm for arm in best if arm is not None]
    if len(arms) == len(folds):
        out += _multiple("best fixed arm", folds, arms, curve, 0.0)
        out += _multiple("best fixed arm, less a point", folds, arms, curve, 0.01)
    return tuple(out)


def _by_size(fold: HeldOut, mask: Mask) -> dict[int, int]:
    """The place of the arm of each breadth."""
    return {arm.breadth: place for place, arm in enumerate(fold.policy.arms) if mask[place]}


def _multiple(name: str, folds: Sequence[HeldOut], arms: Sequence[int], curve: Hull, less: float) -> list[Multiple]:
    outcome = np.concatenate([fold.table.outcome[:, arm] for fold, arm in zip(folds, arms, strict=True)])
    cost = np.concatenate([fold.cost[:, arm] for fold, arm in zip(folds, arms, strict=True)])
    known = np.isfinite(outcome) & np.isfinite(cost)
    if not known.any():
        return []
    accuracy, spent = float(outcome[known].mean()) - less, float(cost[known].mean())
    reaches = len(curve.values) > 0 and curve.values[-1] >= accuracy
    needed = float(np.interp(accuracy, curve.values, curve.costs)) if reaches else None
    times = spent / needed if needed else None
    return [Multiple(baseline=name, accuracy=accuracy, cost=spent, policy_cost=needed, times=times)]


def kept_share(played: Mapping[str, Mapping[str, Played]]) -> float | None:
    """Share of the gain of knowing the bins, over knowing nothing, that text alone keeps; mean over budgets."""

    def accuracy(name: str) -> float:
        means = [np.nanmean(p.outcome) for p in played[name].values() if np.isfinite(p.outcome).any()]
        return float(np.mean(means)) if means else float("nan")

    text, knowing, blind = accuracy("policy"), accuracy("policy, oracle bins"), accuracy("policy, no text")
    gain = knowing - blind
    return (text - blind) / gain if gain > 0.002 else None


def top_choices(
    folds: Sequence[HeldOut], policy: Mapping[str, Played], members: Sequence[Floats]
) -> tuple[Choice, ...]:
    """The shapes of arms most often chosen in each bin at each budget; bins by the prompts' own outcomes.

    By shape, since every fold has thresholds of its own.
    """
    bins = np.concatenate([member.argmax(axis=1) for member in members])
    fold = np.repeat(np.arange(len(folds)), [len(member) for member in members])
    out = []
    for label, play in policy.items():
        names = np.array(
            [
                folds[f].policy.arms[arm].shape if arm >= 0 else ""
                for f, arm in zip(fold.tolist(), play.arm.tolist(), strict=True)
            ]
        )
        for b in np.unique(bins):
            inside = (bins == b) & (names != "")
            found, counts = np.unique(names[inside], return_counts=True)
            for i in np.argsort(-counts, kind="stable")[:SHOWN_ARMS]:
                outcome = play.outcome[inside & (names == found[i])]
                accuracy = _told(known_mean(outcome))
                share = float(counts[i] / counts.sum())
                out.append(Choice(budget=label, bin=int(b) + 1, arm=str(found[i]), share=share, accuracy=accuracy))
    return tuple(out)


def coverage(folds: Sequence[HeldOut], beliefs: Sequence[Belief]) -> Coverage:
    """How often the 90% interval of a (predicted bin, arm) group of 30 prompts or more holds the group's mean."""
    inside, groups, prompt_groups = 0, 0, 0
    for fold, belief in zip(folds, beliefs, strict=True):
        forecasts = fold.policy.budget_model.forecast(belief)
        likely = belief.bins.argmax(axis=1)
        for b in np.unique(likely):
            rows = np.flatnonzero(likely == b)
            outcome = fold.table.outcome[rows]
            known = np.isfinite(outcome)
            n = known.sum(axis=0)
            prompt_groups += bool((n >= LEAST_GROUP).any())
            for arm in np.flatnonzero(n >= LEAST_GROUP):
                own = known[:, arm]
                expected = forecasts.accuracy[rows, arm][own].mean()
                error = forecasts.stderr[rows, arm][own].mean()
                sampling = outcome[own, arm].std(ddof=1) / np.sqrt(n[arm])
                groups += 1
                inside += abs(outcome[own, arm].mean() - expected) <= Z_90 * np.hypot(error, sampling)
    return Coverage(n_groups=groups, n_prompt_groups=prompt_groups, share=inside / groups if groups else None)
