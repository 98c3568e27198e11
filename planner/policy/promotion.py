"""Challenger against champion on held-out prompts, from the logs of today."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.logs import Logs
from planner.curves.table import OutcomeTable
from planner.errors import InvalidInput, NotEnoughData
from planner.policy.compare import DELTA, Performance, Verdict, compare, mean_performance, not_compared
from planner.policy.evaluate import Evaluation
from planner.policy.fit import fit_policy
from planner.policy.held_out import HeldOut, Played, play
from planner.policy.policy import Policy
from planner.policy.yardstick import joined

if TYPE_CHECKING:
    from planner.curves.cascade_draws import Source

NEW_PROMPTS = 50
NONE_LOGGED = (
    "promoted: these logs hold none of the arms of the policy before (`planner policies rollback` serves it again)"
)
TOO_LITTLE_LOGGED = "these logs hold too little of its arms on the prompts that it was fitted on to compare"


def challenge(
    evaluation: Evaluation, champion: Policy, champion_prompts: AbstractSet[str], logs: Logs, *, delta: float = DELTA
) -> Verdict:
    """Judge the challenger of an evaluation against the promoted policy, on the same held-out prompts.

    `champion_prompts` are the ids that the champion was fitted on. Where 50 prompts or more are new to it, it is
    judged on those, as it stands. Else it has seen too many, or it was fitted before there were the prices that costs
    are told in today: it is fitted again without each fold's prompts, from the prompts and with the arms that it knew,
    as far as the logs still hold them. Where they hold none of its arms it cannot serve them, and the challenger is
    promoted; where they hold too little to fit it again it is kept.
    """
    ids = evaluation.table.prompts.ids
    # Of prompts that were answered live, not replayed, hardly any outcome is known: they settle nothing.
    new = _settled(evaluation) & np.array([ids[row] not in champion_prompts for row in evaluation.rows])
    table = _arms_of(champion, evaluation.table, logs)
    if not table.arms:
        return Verdict(True, NONE_LOGGED)
    complete = table.arms == champion.arms
    priced = bool(np.isfinite(champion.traffic.cost(evaluation.folds[0].unit)).any())
    as_it_stands = complete and priced and new.sum() >= NEW_PROMPTS
    known = np.array([prompt in champion_prompts for prompt in ids])
    plays, first = [], 0
    for fold in evaluation.folds:
        test = evaluation.rows[first : first + len(fold.table.prompts)]
        first += len(test)
        rival = champion if as_it_stands else _without(test, known, table, logs, champion)
        if rival is None:
            return not_compared(TOO_LITTLE_LOGGED)
        own = _only(rival.arms, table).take_prompts(test)
        held = HeldOut.of(rival, own, own, fold.unit)
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


def _settled(evaluation: Evaluation) -> NDArray[np.bool_]:
    """Which held-out prompts have an outcome at every budget that the challenger can keep; (P,)."""
    known = [np.isfinite(evaluation.played["policy"][budget].outcome) for budget in evaluation.budgets]
    return np.asarray(np.all([one for one in known if one.any()], axis=0) & np.any(known, axis=0), dtype=np.bool_)


def _arms_of(champion: Policy, table: OutcomeTable, logs: Logs) -> OutcomeTable:
    """The champion's arms, in its order, on the logs of today; arms that are no longer logged are missing."""
    from planner.curves.cascade import replay_cascades  # noqa: PLC0415 - replay is no part of serving
    from planner.curves.cascade_draws import source  # noqa: PLC0415
    from planner.curves.concatenation import concatenate_arms  # noqa: PLC0415

    laid = source(logs)
    # Also those that were carried out a few times: the runs alone say nothing of most prompts.
    cascades = [arm for arm in champion.arms if arm.search == "cascade" and _is_logged(arm, laid)]
    return _only(champion.arms, concatenate_arms([table, replay_cascades(logs, cascades)]) if cascades else table)


def _is_logged(cascade: Arm, laid: Source) -> bool:
    from planner.curves.cascade_replay import plan_of  # noqa: PLC0415

    try:
        plan_of(cascade, laid)
    except InvalidInput:  # another verifier, other settings, or none of its generators
        return False
    return True


def _only(arms: Sequence[Arm], table: OutcomeTable) -> OutcomeTable:
    """Those of the arms that the table has, in their order."""
    place = {arm: i for i, arm in enumerate(table.arms)}
    return table.take_arms([place[arm] for arm in arms if arm in place])


def _without(
    test: NDArray[np.intp], known: NDArray[np.bool_], table: OutcomeTable, logs: Logs, champion: Policy
) -> Policy | None:
    """The champion fitted again without the prompts at `test`; None where too little is left for that."""
    train = known.copy()
    train[test] = False
    left = table.take_prompts(np.flatnonzero(train))
    predictor = champion.predictor
    graded = {left.arms[arm].generator for arm in left.graded_arms()}
    try:
        return fit_policy(
            left,
            logs=logs,
            seed=predictor.random_state,
            reference=predictor.reference if predictor.reference in graded else None,
            metadata_features=tuple(predictor.metadata_features),
            n_bins=predictor.n_bins,
        )
    except NotEnoughData:
        return None


def _performance(plays: list[Played], rows: NDArray[np.integer[Any]]) -> Performance:
    if not plays:
        unknown = np.full(len(rows), np.nan, dtype=np.float32)
        return Performance(unknown, unknown)
    return mean_performance([p.outcome[rows] for p in plays], [p.cost[rows] for p in plays])
