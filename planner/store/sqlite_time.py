"""How a SQLite store keeps moments, for what writes and compares them without SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime


def sqlite_time(moment: datetime) -> str:
    """As SQLAlchemy writes it: UTC, without a zone. Texts sort as their moments do."""
    # strftime's %Y does not pad: the year 26 would come after 2026
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
