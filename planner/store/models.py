"""Model cards in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from planner.core import ModelCard
from planner.store.registry import next_key
from planner.store.tables import models

_FIELDS = tuple(ModelCard.model_fields)


class StoredModel(NamedTuple):
    """A model: with a card, or only met in a log (`has_card` False; its `kind` is then a guess)."""

    card: ModelCard
    has_card: bool


def read_models(connection: Connection) -> list[StoredModel]:
    """All models, by name."""
    rows = connection.execute(select(models).order_by(models.c.name)).mappings()
    return [
        StoredModel(ModelCard(**{name: row[name] for name in _FIELDS}), has_card=bool(row["has_card"])) for row in rows
    ]


def save_models(connection: Connection, cards: Sequence[ModelCard]) -> None:
    """Add cards; of a known name, what a card says replaces what was known, and what it leaves out stays."""
    for card in cards:
        news = card.model_dump(exclude_unset=True) | {"has_card": 1}
        known = update(models).where(models.c.name == card.name).values(**news)
        if connection.execute(known).rowcount == 0:
            values = card.model_dump() | {"has_card": 1}
            values["model_key"] = next_key(connection, models.c.model_key)
            connection.execute(insert(models), values)
