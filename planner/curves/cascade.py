"""Adaptive arms: cascades that stop and escalate, replayed from logged samples (METHODS 5b)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.cascade_draws import Orders, Source, draw_orders, source
from planner.curves.cascade_grid import fixed_rivals, grid
from planner.curves.cascade_pools import drawn_pools
from planner.curves.cascade_price import prices
from planner.curves.cascade_replay import Replay, concurrency_of, needs_answers, plan_of, replay
from planner.curves.cascade_thin import screen, thin
from planner.curves.cascade_trace import Plan, Trace, chains_used, drawable
from planner.curves.cascade_usage import usage_of, weights_of
from planner.curves.logs import Floats, Logs
from planner.curves.pool_table import pool_table
from planner.curves.side_by_side import side_by_side
from planner.curves.table import OutcomeTable

# Matrices of a replay are (prompts x orders, draws): blocks of prompts keep them in tens of megabytes.
ROWS_PER_BLOCK = 32_768
# A grid of thousands is screened on so many prompts, and so many replays in all.
SCREENED_PROMPTS = 2_000
SCREENED_ROWS = 8_000
SCREENING = 0x5C


def replay_cascades(logs: Logs, arms: Sequence[Arm], *, seed: int = 0, n_orders: int | None = None) -> OutcomeTable:
    """Outcome and use of given cascades on every logged prompt, in expectation over orders of drawing.

    All arms are replayed over the same orders, so that their differences are sharper than their values.
    `n_orders` random orders a prompt are used (by default 64, fewer on very large logs). A prompt with too
    few samples for the worst case of an arm has NaN there.

    Raises InvalidInput for an arm that cannot be replayed from these logs.
    """
    laid = source(logs)
    orders = n_orders or default_orders(len(logs.prompts))
    replays = replay_all(logs, laid, arms, np.arange(len(logs.prompts)), n_orders=orders, seed=seed)
    return _table(logs, laid, arms, replays)


def cascade_table(
    logs: Logs,
    *,
    seed: int = 0,
    rows: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    max_arms: int = 80,
) -> OutcomeTable:
    """Outcome table of the cascades that these logs make worth while, over all prompts of the logs.

    A grid is made from the generators, verifiers and score quantiles in the logs, screened on the prompts at
    `rows` (all by default; at most 2,000 of them), and thinned to `max_arms` on or near the hull of cost and
    accuracy. Give the training prompts as `rows` where the others are to judge: nothing outside is looked at.
    """
    laid = source(logs)
    chosen = np.arange(len(logs.prompts)) if rows is None else np.asarray(rows, dtype=np.intp)
    arms = choose_arms(logs, laid, chosen, seed=seed, max_arms=max_arms)
    orders = default_orders(len(logs.prompts))
    replays = replay_all(logs, laid, arms, np.arange(len(logs.prompts)), n_orders=orders, seed=seed)
    return _table(logs, laid, arms, replays)


def choose_arms(logs: Logs, laid: Source, prompts: NDArray[np.integer[Any]], *, seed: int, max_arms: int) -> list[Arm]:
    """Choose the cascades of the grid that lie on or near the hull of the given prompts."""
    rng = np.random.default_rng([seed, SCREENING])
    many = len(prompts) > SCREENED_PROMPTS
    few = np.sort(rng.choice(prompts, SCREENED_PROMPTS, replace=False)) if many else prompts
    priced = prices(logs, laid)
    pools = drawn_pools(logs, laid, priced, few)
    candidates = grid(pools)
    if not candidates:
        return []
    arms = [*fixed_rivals(pools), *candidates]
    n_orders = int(np.clip(SCREENED_ROWS // len(few), 4, 32))
    n_draws = max(arm.breadth for arm in arms)
    orders = draw_orders(laid.chains, few, n_orders=n_orders, n_draws=n_draws, rng=rng)
    screened = screen(arms, laid, orders, priced)
    known = ~np.isnan(screened.accuracy)
    difficulty = 1 - np.where(known, screened.accuracy, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    is_rival = np.arange(len(arms)) < len(arms) - len(candidates)
    return [arms[place] for place in thin(screened, is_rival, difficulty, max_arms)]


def default_orders(n_prompts: int) -> int:
    """Orders a prompt: enough for a sharp mean over prompts, without more replays than a fit can wait for."""
    return int(np.clip(2**17 // max(n_prompts, 1), 8, 64))


def replay_all(
    logs: Logs,
    laid: Source,
    arms: Sequence[Arm],
    prompts: NDArray[np.integer[Any]],
    *,
    n_orders: int,
    seed: int,
) -> list[Replay]:
    """Replays of `arms` on `prompts`, one an arm; NaN on prompts with too few samples."""
    plans = [plan_of(arm, laid) for arm in arms]
    by_plan: defaultdict[Plan, list[int]] = defaultdict(list)
    for place, plan in enumerate(plans):
        by_plan[plan].append(place)
    n_draws = max((chains_used(plan, draw.pool) for plan in by_plan for draw in plan), default=0)
    results = [_unknown(len(prompts), len(plan)) for plan in plans]
    for block, part in _blocks(len(prompts), n_orders):
        rng = np.random.default_rng([seed, block])
        orders = draw_orders(laid.chains, prompts[part], n_orders=n_orders, n_draws=n_draws, rng=rng)

        def replay_plan(plan: Plan, places: Sequence[int], orders: Orders = orders, part: slice = part) -> None:
            trace = Trace(plan, laid, orders)
            for place in places:
                known = drawable(plan, laid, votes=needs_answers(arms[place]))[prompts[part]]
                found = replay(trace, arms[place], n_orders, concurrency_of(arms[place], logs))
                _fill(results[place], found, part, known)

        side_by_side(replay_plan, by_plan.items())
    return results


def _blocks(n_prompts: int, n_orders: int) -> Iterator[tuple[int, slice]]:
    size = max(ROWS_PER_BLOCK // n_orders, 1)
    return ((block, slice(low, min(low + size, n_prompts))) for block, low in enumerate(range(0, n_prompts, size)))


def _unknown(n_prompts: int, n_stages: int) -> Replay:
    def nan(*shape: int) -> Floats:
        return np.full(shape, np.nan, dtype=np.float32)

    one, many = (n_prompts,), (n_prompts, n_stages)
    return Replay(nan(*one), nan(*many), nan(*many), nan(*many), nan(*many), nan(*one), nan(*one), nan(*many))


def _fill(result: Replay, found: Replay, part: slice, known: NDArray[np.bool_]) -> None:
    for name in Replay.__dataclass_fields__:
        getattr(result, name)[part][known] = getattr(found, name)[known]


def _table(logs: Logs, laid: Source, arms: Sequence[Arm], replays: Sequence[Replay]) -> OutcomeTable:
    n_prompts = len(logs.prompts)
    plans = [plan_of(arm, laid) for arm in arms]
    slots, expected, worst = usage_of(logs, laid, arms, plans, replays)
    return OutcomeTable(
        prompts=logs.prompts,
        arms=tuple(arms),
        models=logs.models,
        outcome=_columns([one.outcome for one in replays], n_prompts),
        weight=weights_of(laid, plans, replays, n_prompts),
        slots=slots,
        expected=expected,
        worst=worst,
        latency_seconds=_columns([one.latency_seconds for one in replays], n_prompts),
        latency_worst_seconds=_columns([one.latency_worst_seconds for one in replays], n_prompts),
        extrapolated=np.zeros(len(arms), dtype=np.bool_),
        pools=pool_table(logs),
    )


def _columns(columns: Sequence[Floats], n_prompts: int) -> Floats:
    return np.stack(columns, axis=1) if columns else np.zeros((n_prompts, 0), np.float32)
