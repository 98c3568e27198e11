from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import DateTime, String, cast, create_engine, literal, select

from planner.store.sqlite_time import sqlite_time


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(26, 1, 31, tzinfo=UTC),
    ],
)
def test_a_moment_is_written_as_sqlalchemy_does(moment):
    with create_engine("sqlite://").connect() as connection:
        theirs = connection.execute(select(cast(literal(moment, DateTime), String))).scalar()
    assert sqlite_time(moment) == theirs


def test_other_zones_are_brought_to_utc():
    assert sqlite_time(datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5)))) == "2026-01-01 19:00:00.000000"


def test_texts_sort_as_moments_do():
    moments = [datetime(year, 1, 1, tzinfo=UTC) for year in (2, 26, 226, 2026)]
    assert sorted(map(sqlite_time, moments)) == list(map(sqlite_time, moments))
