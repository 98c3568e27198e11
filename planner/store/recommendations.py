"""Recommendations that were served."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from planner.core import Recommendation
from planner.store.bulk import insert_columns, select_in
from planner.store.engine import Database
from planner.store.tables import recommendations
from planner.store.writer import COLUMNS, Row


def insert_recommendations(database: Database, rows: Sequence[Row], *, again: bool = False) -> None:
    """Insert rows in one transaction; `again` leaves out those that an earlier try has stored."""
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    with database.writing(alone=False) as connection:
        keep = None
        if again:
            ids, name = columns["recommendation_id"], "recommendation_id"
            known = {row[0] for row in select_in(connection, name, "recommendations", name, ids)}
            keep = [one not in known for one in ids]
        insert_columns(connection, recommendations, columns, len(rows), keep=keep)


def find_recommendation(connection: Connection, recommendation_id: str) -> Recommendation | None:
    """A stored recommendation."""
    column = recommendations.c.recommendation_id
    query = select(recommendations.c.body).where(column == recommendation_id)
    body = connection.execute(query).scalar_one_or_none()
    return None if body is None else Recommendation.model_validate_json(body)
