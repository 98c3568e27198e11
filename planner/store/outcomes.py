"""What became of recommendations: each beside the run that carried it out, and runs by their ids."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select

from planner.core import Cost, Recommendation
from planner.store.tables import recommendations, runs


class Realised(NamedTuple):
    """What a run came to; None is unknown, never 0. The cost holds what was logged: no derived FLOPs."""

    run_id: str
    status: str
    correct: float | None
    cost: Cost


class Served(NamedTuple):
    """A recommendation that was served, and the latest run that carried it out, if any did."""

    key: int
    created_at: datetime
    recommendation: Recommendation
    realised: Realised | None


_RUN = (
    runs.c.run_id, runs.c.status, runs.c.correct, runs.c.prompt_tokens, runs.c.completion_tokens,
    runs.c.verifier_tokens, runs.c.usd, runs.c.latency_seconds,
)  # fmt: skip


def served(
    connection: Connection, *, limit: int, before: int | None = None, carried_out: bool | None = None
) -> list[Served]:
    """The latest recommendations, the newest first; `before` goes on from a key, `carried_out` leaves out the rest."""
    last = _latest_runs()
    query = (
        select(recommendations.c.recommendation_key, recommendations.c.created_at, recommendations.c.body, *_RUN)
        .select_from(recommendations)
        .outerjoin(last, last.c.recommendation_id == recommendations.c.recommendation_id)
        .outerjoin(runs, runs.c.run_key == last.c.run_key)
        .order_by(recommendations.c.recommendation_key.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(recommendations.c.recommendation_key < before)
    if carried_out is False:
        query = query.where(runs.c.run_key.is_(None))
    if carried_out:
        # Keys first, from the runs: few of many may be carried out, and all the others would be read to find them.
        key = recommendations.c.recommendation_key
        keys = select(key).join(last, last.c.recommendation_id == recommendations.c.recommendation_id)
        if before is not None:
            keys = keys.where(key < before)
        query = query.where(key.in_(keys.order_by(key.desc()).limit(limit)))
    return [
        Served(row[0], row[1], Recommendation.model_validate_json(row[2]), _realised(row[3:]))
        for row in connection.execute(query)
    ]


def has_run(connection: Connection, run_id: str) -> bool:
    """Whether a run of that id is logged."""
    return connection.execute(select(runs.c.run_key).where(runs.c.run_id == run_id)).first() is not None


def has_runs(connection: Connection) -> bool:
    """Whether any run is logged; it takes no longer where there are many."""
    return connection.execute(select(runs.c.run_key).limit(1)).first() is not None


def _latest_runs() -> Any:  # noqa: ANN401 - a subquery
    query: Select[Any] = (
        select(runs.c.recommendation_id, func.max(runs.c.run_key).label("run_key"))
        .where(and_(runs.c.recommendation_id.is_not(None)))
        .group_by(runs.c.recommendation_id)
    )
    return query.subquery()


def _realised(row: Any) -> Realised | None:  # noqa: ANN401 - the columns of _RUN
    run_id, status, correct, prompt, completion, verifier, usd, latency = row
    if run_id is None:
        return None
    cost = Cost(
        prompt_tokens=prompt,
        completion_tokens=completion,
        verifier_tokens=verifier,
        usd=usd,
        latency_seconds=latency,
    )
    return Realised(run_id, status, correct, cost)
