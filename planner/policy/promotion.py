"""Challenger against champion on held-out prompts, from the logs of today."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Logs
from planner.curves.table import OutcomeTable
from planner.policy.compare import DELTA, Performance, Verdict, compare, mean_performance
from planner.policy.evaluate import Evaluation
from planner.policy.fit import fit_policy
from planner.policy.held_out import HeldOut, Played, play
from planner.policy.policy import Policy
from planner.policy.yardstick import joined

NEW_PROMPTS = 50


def challenge(
    evaluation: Evaluation, champion: Policy, champion_prompts: AbstractSet[str], logs: Logs, *, delta: float = DELTA
) -> Verdict:
    """Judge the challenger of an evaluation against the promoted policy, on the same held-out prompts.

    `champion_prompts` are the ids that the champion was fitted on. Where 50 prompts or more are new to it, it is
    judged on those, as it stands. Else it has seen too many: it is fitted again without each fold's prompts, from the
    prompts and with the arms that it knew.
    """
    ids = evaluation.table.prompts.ids
    new = np.array([ids[row] not in champion_prompts for row in evaluation.rows])
    table = _arms_of(champion, evaluation.table, logs)
    complete = table.arms == champion.arms
    as_it_stands = complete and new.sum() >= NEW_PROMPTS
    known = np.array([prompt in champion_prompts for prompt in ids])
    plays, first = [], 0
    for fold in evaluation.folds:
        test = evaluation.rows[first : first + len(fold.table.prompts)]
        first += len(test)
        rival = champion if as_it_stands else _without(test, known, table, logs, champion)
        held = HeldOut.of(rival, table.take_prompts(test), table.take_prompts(test), fold.unit)
        plays.append(play(held, rival.believe(held.prompts), evaluation.budgets, seed=evaluation.report.seed))
    rows = np.flatnonzero(new) if as_it_stands else np.arange(len(new))
    pairs = [
        (evaluation.played["policy"][budget], joined([played[budget] for played in plays]))
        for budget in evaluation.budgets
    ]
    kept = [(own, other) for own, other in pairs if np.isfinite(own.outcome + other.outcome).any()]
    return compare(
        _performance([own for own, _ in kept], rows), _performance([other for _, other in kept], rows), delta=delta
    )


def _arms_of(champion: Policy, table: OutcomeTable, logs: Logs) -> OutcomeTable:
    """The champion's arms, in its order, on the logs of today; arms that are no longer logged are missing."""
    from planner.curves.cascade import replay_cascades  # noqa: PLC0415 - replay is no part of serving
    from planner.curves.concatenation import concatenate_arms  # noqa: PLC0415

    here = set(table.arms)
    generators = {pool.generator for pool in logs.pools}
    absent = [
        arm
        for arm in champion.arms
        if arm not in here and arm.search == "cascade" and generators.issuperset(arm.generators)
    ]
    full = concatenate_arms([table, replay_cascades(logs, absent)]) if absent else table
    place = {arm: i for i, arm in enumerate(full.arms)}
    return full.take_arms([place[arm] for arm in champion.arms if arm in place])


def _without(
    test: NDArray[np.intp], known: NDArray[np.bool_], table: OutcomeTable, logs: Logs, champion: Policy
) -> Policy:
    train = known.copy()
    train[test] = False
    predictor = champion.predictor
    return fit_policy(
        table.take_prompts(np.flatnonzero(train)),
        logs=logs,
        seed=predictor.random_state,
        reference=predictor.reference,
        metadata_features=tuple(predictor.metadata_features),
        n_bins=predictor.n_bins,
    )


def _performance(plays: list[Played], rows: NDArray[np.integer[Any]]) -> Performance:
    if not plays:
        unknown = np.full(len(rows), np.nan, dtype=np.float32)
        return Performance(unknown, unknown)
    return mean_performance([p.outcome[rows] for p in plays], [p.cost[rows] for p in plays])
