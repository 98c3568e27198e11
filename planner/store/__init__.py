"""The SQL store: SQLite by default, PostgreSQL by the same code."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.store.housekeeping import Counts, ImportRow, LogStats, Removed
    from planner.store.models import StoredModel
    from planner.store.policies import FitRow, PolicyRow
    from planner.store.quick import QuickStore
    from planner.store.store import Store

# Imported when first asked for: serving from a SQLite file needs `QuickStore` alone, and not SQLAlchemy.
_HOMES = {
    "Counts": "housekeeping",
    "FitRow": "policies",
    "ImportRow": "housekeeping",
    "LogStats": "housekeeping",
    "PolicyRow": "policies",
    "QuickStore": "quick",
    "Removed": "housekeeping",
    "Store": "store",
    "StoredModel": "models",
}

__all__ = [
    "Counts",
    "FitRow",
    "ImportRow",
    "LogStats",
    "PolicyRow",
    "QuickStore",
    "Removed",
    "Store",
    "StoredModel",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
