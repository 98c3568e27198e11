"""Screen a grid of cascades on some prompts and keep those on or near the hull of cost and accuracy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.cascade_draws import Orders, Source
from planner.curves.cascade_price import Prices
from planner.curves.cascade_replay import needs_answers, plan_of, seconds, stop_points
from planner.curves.cascade_trace import Plan, Trace, at, drawable, prefix_sums
from planner.curves.logs import Floats
from planner.curves.side_by_side import side_by_side

# Arms that differ by less than this, in mean over prompts, in cost (relative) and accuracy are one arm.
SAME_COST = 0.01
SAME_ACCURACY = 0.002
FEWEST_IN_THIRDS = 30


@dataclass(frozen=True)
class Screened:
    """Accuracy and costs of each arm on the screened prompts, (prompts, arms); NaN where unknown."""

    accuracy: Floats
    cost: Floats
    worst: Floats
    latency: Floats


@dataclass(frozen=True)
class Means:
    """The same over all screened prompts, (arms,)."""

    accuracy: Floats
    cost: Floats
    worst: Floats
    latency: Floats


def screen(arms: Sequence[Arm], laid: Source, orders: Orders, priced: Prices) -> Screened:
    """Replay many cascades for accuracy and cost alone; plans that several share are drawn once."""
    shape = (len(orders.prompts), len(arms))
    result = Screened(*(np.full(shape, np.nan, np.float32) for _ in range(4)))
    by_plan: defaultdict[Plan, list[int]] = defaultdict(list)
    for place, arm in enumerate(arms):
        by_plan[plan_of(arm, laid)].append(place)
    timed = not np.isnan(laid.columns.latency_seconds).all()

    def replay_plan(plan: Plan, places: Sequence[int]) -> None:
        known_by = {votes: drawable(plan, laid, votes=votes)[orders.prompts] for votes in (False, True)}
        trace = Trace(plan, laid, orders)
        scoring = np.where(trace.verified, priced.score[trace.rows], np.float32(0))
        spent = prefix_sums(priced.draw[trace.rows] + scoring)
        for place in places:
            known = known_by[needs_answers(arms[place])]
            stages, limits = arms[place].stages, [None] * len(plan)
            n_drawn = stop_points(trace, stages).n_drawn
            value = trace.value(arms[place].selection, answer_from=arms[place].params.get("answer_from", "all"))
            for target, replayed in (
                (result.accuracy, at(value, n_drawn - 1)),
                (result.cost, at(spent, n_drawn)),
                (result.worst, spent[-1]),
                *([(result.latency, at(seconds(trace, stages, limits), n_drawn))] if timed else []),
            ):
                target[known, place] = replayed.reshape(-1, orders.n_orders).mean(axis=1)[known]

    side_by_side(replay_plan, by_plan.items())
    return result


def thin(screened: Screened, is_rival: NDArray[np.bool_], difficulty: Floats, max_arms: int) -> list[int]:
    """Places of the arms to keep, by place; rivals (fixed arms) shape the hulls but are never kept.

    The hulls of several views are peeled in turn, layer by layer: all prompts by expected cost, each third of
    them by difficulty, all by worst cost (ceilings are held against it), all by latency where it is known.
    """
    means = Means(*(_mean(getattr(screened, name)) for name in Screened.__dataclass_fields__))
    enough = np.mean(~np.isnan(screened.accuracy), axis=0) >= 0.5
    views = [view for view in _views(screened, means, difficulty) if np.isfinite(view[0][enough]).any()]
    kept: list[int] = []
    left = [enough & np.isfinite(cost) & np.isfinite(accuracy) for cost, accuracy in views]
    while len(kept) < max_arms and any(mask.any() for mask in left):
        for (cost, accuracy), mask in zip(views, left, strict=True):
            places = np.flatnonzero(mask)
            layer = places[upper_hull(cost[places], accuracy[places])]
            mask[layer] = False
            for place in layer[~is_rival[layer]]:
                if len(kept) < max_arms and not _is_like(screened, means, int(place), kept):
                    kept.append(int(place))
    return sorted(kept)


def _is_like(screened: Screened, means: Means, place: int, kept: Sequence[int]) -> bool:
    """Whether a kept arm is all but the same and costs no more: a nearby threshold, a like rule."""
    others = np.array(kept, dtype=np.intp)
    alike = np.abs(means.cost[others] - means.cost[place]) <= SAME_COST * means.cost[place]
    alike &= means.worst[others] <= means.worst[place] * (1 + SAME_COST)
    alike &= ~(means.latency[others] > means.latency[place] * (1 + SAME_COST))
    apart = np.abs(screened.accuracy[:, others[alike]] - screened.accuracy[:, [place]])
    return bool((_mean(apart) <= SAME_ACCURACY).any())


def _views(screened: Screened, means: Means, difficulty: Floats) -> list[tuple[Floats, Floats]]:
    thirds = np.array_split(np.argsort(difficulty, kind="stable"), 3) if len(difficulty) >= FEWEST_IN_THIRDS else []
    return [
        (means.cost, means.accuracy),
        *((_mean(screened.cost[rows]), _mean(screened.accuracy[rows])) for rows in thirds),
        (means.worst, means.accuracy),
        (means.latency, means.accuracy),
    ]


def _mean(values: Floats) -> Floats:
    """Mean over prompts of what is known, (arms,); NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return np.asarray(mean, dtype=np.float32)


def upper_hull(cost: Floats, value: Floats) -> NDArray[np.intp]:
    """Places on the rising part of the concave hull, by rising cost."""
    hull: list[int] = []
    for place in np.lexsort((-value, cost)):
        if hull and value[place] <= value[hull[-1]]:
            continue
        while len(hull) > 1 and _is_below(cost, value, hull[-2], hull[-1], int(place)):
            hull.pop()
        hull.append(int(place))
    return np.array(hull, dtype=np.intp)


def _is_below(cost: Floats, value: Floats, left: int, middle: int, right: int) -> bool:
    rise = float(value[right] - value[left]) * float(cost[middle] - cost[left])
    return float(value[middle] - value[left]) * float(cost[right] - cost[left]) <= rise
