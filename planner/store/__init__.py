"""The SQL store: SQLite by default, PostgreSQL by the same code."""

from planner.store.housekeeping import Counts, ImportRow, LogStats, Removed
from planner.store.models import StoredModel
from planner.store.policies import FitRow, PolicyRow
from planner.store.store import Store

__all__ = [
    "Counts",
    "FitRow",
    "ImportRow",
    "LogStats",
    "PolicyRow",
    "Removed",
    "Store",
    "StoredModel",
]
