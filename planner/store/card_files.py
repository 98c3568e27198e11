"""Model cards from a file: `models.json` or `models.toml`."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planner.core import ModelCard
from planner.errors import InvalidInput


def read_model_cards(path: Path) -> list[ModelCard]:
    """Cards of a JSON file (an array, or an object with `models`) or a TOML file (`[[models]]`).

    Raises InvalidInput that names each bad card by place, name and field.
    """
    cards: list[ModelCard] = []
    problems: list[str] = []
    for place, entry in enumerate(_entries(path), 1):
        try:
            cards.append(ModelCard.model_validate(entry))
        except ValidationError as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            where = f"{path}: model {place}" + (f" ({name})" if isinstance(name, str) else "")
            problems += [f"{where}: {'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors()]
    twice = [name for name, times in Counter(card.name for card in cards).items() if times > 1]
    problems += [f"{path}: {name}: name: two cards bear it" for name in twice]
    if problems:
        raise InvalidInput("\n".join(problems))
    return cards


def _entries(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8-sig")
        loaded = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        if path.suffix not in ("", ".json", ".toml"):
            raise InvalidInput(
                f"{path}: model cards are read from .json and .toml files, not from {path.suffix}"
            ) from error
        raise InvalidInput(f"{path} cannot be read as {path.suffix or 'JSON'}: {error}") from error
    except ValueError as error:
        raise InvalidInput(
            f"{path}: holds a number of thousands of digits, expected numbers of usual length"
        ) from error
    entries = loaded.get("models") if isinstance(loaded, dict) else loaded
    if not isinstance(entries, list) or not entries:
        raise InvalidInput(f"{path}: expected model cards: a JSON array of objects, or `[[models]]` tables in TOML")
    return entries
