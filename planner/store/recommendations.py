"""Recommendations that were served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from planner.core import Recommendation
from planner.store.bulk import insert_columns
from planner.store.engine import Database
from planner.store.tables import recommendations


def insert_recommendations(database: Database, columns: Mapping[str, Sequence[Any]], n_rows: int) -> None:
    """Insert rows given as columns, in one transaction."""
    with database.writing(alone=False) as connection:
        insert_columns(connection, recommendations, columns, n_rows)


def find_recommendation(connection: Connection, recommendation_id: str) -> Recommendation | None:
    """A stored recommendation."""
    column = recommendations.c.recommendation_id
    query = select(recommendations.c.body).where(column == recommendation_id)
    body = connection.execute(query).scalar_one_or_none()
    return None if body is None else Recommendation.model_validate_json(body)
