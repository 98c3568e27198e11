"""Fitted policies and fits: what was made, what is served, what was served before."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Self

from sqlalchemy import Connection, Row, insert, select, update

from planner.errors import InvalidInput, NotReady
from planner.store.tables import fits, policies

PolicyStatus = Literal["candidate", "promoted", "retired"]


class PolicyRow(NamedTuple):
    """A fitted policy; `summary` is its short held-out report, `reason` why its status is what it is."""

    policy_id: str
    artifact_path: str
    status: PolicyStatus
    created_at: datetime
    promoted_at: datetime | None
    summary: Mapping[str, Any]
    reason: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """From a row of the table."""
        values = {name: getattr(row, name) for name in cls._fields}
        return cls(**values | {"summary": json.loads(row.summary)})


class FitRow(NamedTuple):
    """A fit: `running`, `done` (it made `policy_id`) or `failed` (`error` says why)."""

    fit_id: str
    status: Literal["running", "done", "failed"]
    started_at: datetime
    finished_at: datetime | None
    settings: Mapping[str, Any]
    policy_id: str | None
    error: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """From a row of the table."""
        values = {name: getattr(row, name) for name in cls._fields}
        return cls(**values | {"settings": json.loads(row.settings)})


def add_policy(
    connection: Connection,
    policy_id: str,
    *,
    artifact_path: str,
    summary: Mapping[str, Any],
    reason: str | None,
    now: datetime,
) -> PolicyRow:
    """Add a candidate; the same policy again (equal data and seed) only gets the new summary."""
    if find_policy(connection, policy_id) is None:
        row = {"policy_id": policy_id, "artifact_path": artifact_path, "status": "candidate"}
        more = {"created_at": now, "summary": json.dumps(dict(summary)), "reason": reason}
        connection.execute(insert(policies), row | more)
    else:
        news = {"artifact_path": artifact_path, "summary": json.dumps(dict(summary))}
        connection.execute(update(policies).where(policies.c.policy_id == policy_id).values(**news))
    return _found(connection, policy_id)


def find_policy(connection: Connection, policy_id: str) -> PolicyRow | None:
    """The policy of that id, if there is one."""
    row = connection.execute(select(policies).where(policies.c.policy_id == policy_id)).one_or_none()
    return None if row is None else PolicyRow.of(row)


def list_policies(connection: Connection) -> list[PolicyRow]:
    """All policies, the newest first."""
    rows = connection.execute(select(policies).order_by(policies.c.policy_key.desc()))
    return [PolicyRow.of(row) for row in rows]


def active_policy(connection: Connection) -> PolicyRow | None:
    """The promoted policy, if there is one."""
    row = connection.execute(select(policies).where(policies.c.status == "promoted")).one_or_none()
    return None if row is None else PolicyRow.of(row)


def promote_policy(connection: Connection, policy_id: str, *, reason: str, now: datetime) -> PolicyRow:
    """Make it the promoted one, the one before is retired; raises InvalidInput for an unknown id."""
    _found(connection, policy_id)
    active = active_policy(connection)
    if active is not None and active.policy_id == policy_id:
        return active
    _swap(connection, policy_id, reason=reason, retired=f"replaced by {policy_id}")
    connection.execute(update(policies).where(policies.c.policy_id == policy_id).values(promoted_at=now))
    return _found(connection, policy_id)


def rollback_policy(connection: Connection, *, check: Callable[[PolicyRow], object]) -> PolicyRow:
    """Promote again what was promoted before the present one, if `check` lets it; raises NotReady where nothing was."""
    active = active_policy(connection)
    earlier = select(policies).where(policies.c.status == "retired").order_by(policies.c.promoted_at.desc())
    if active is not None:
        earlier = earlier.where(policies.c.promoted_at < active.promoted_at)
    row = connection.execute(earlier.limit(1)).one_or_none()
    if active is None or row is None:
        raise NotReady("no policy was promoted before this one: see `planner policies list`")
    check(PolicyRow.of(row))
    # Its `promoted_at` stays, so that a second rollback goes one further back; what is left loses its own, so that
    # a rollback of a later policy does not come back to it.
    connection.execute(update(policies).where(policies.c.policy_id == active.policy_id).values(promoted_at=None))
    _swap(connection, row.policy_id, reason=f"rolled back from {active.policy_id}", retired="rolled back")
    return _found(connection, row.policy_id)


def start_fit(connection: Connection, fit_id: str, settings: Mapping[str, Any], *, alone: bool, now: datetime) -> bool:
    """Note that a fit began, and say that it did: not where it has to be `alone` and another stands as running."""
    if alone and connection.execute(select(fits.c.fit_id).where(fits.c.status == "running").limit(1)).first():
        return False
    row = {"fit_id": fit_id, "status": "running", "started_at": now, "settings": json.dumps(dict(settings))}
    connection.execute(insert(fits), row)
    return True


def finish_fit(connection: Connection, fit_id: str, *, policy_id: str | None, error: str | None, now: datetime) -> None:
    """Note how a fit ended."""
    values = {"status": "failed" if error else "done", "finished_at": now}
    news = values | {"policy_id": policy_id, "error": error}
    connection.execute(update(fits).where(fits.c.fit_id == fit_id).values(**news))


def end_lost_fits(connection: Connection, *, but: str | None, only: Collection[str] | None, now: datetime) -> int:
    """Note that fits which still stand as running, except `but`, ended with their process; give how many."""
    lost = update(fits).where(fits.c.status == "running")
    if but is not None:
        lost = lost.where(fits.c.fit_id != but)
    if only is not None:
        lost = lost.where(fits.c.fit_id.in_(only))
    values = {"status": "failed", "finished_at": now, "error": "its process ended before it did"}
    return connection.execute(lost.values(**values)).rowcount


def list_fits(connection: Connection) -> list[FitRow]:
    """All fits, the newest first."""
    return [FitRow.of(row) for row in connection.execute(select(fits).order_by(fits.c.fit_key.desc()))]


def _found(connection: Connection, policy_id: str) -> PolicyRow:
    found = find_policy(connection, policy_id)
    if found is None:
        raise InvalidInput(f"there is no policy {policy_id!r}: `planner policies list` names them")
    return found


def _swap(connection: Connection, policy_id: str, *, reason: str, retired: str) -> None:
    old = update(policies).where(policies.c.status == "promoted")
    connection.execute(old.values(status="retired", reason=retired))
    new = update(policies).where(policies.c.policy_id == policy_id)
    connection.execute(new.values(status="promoted", reason=reason))
