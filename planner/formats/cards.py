"""Model cards from a file: JSON or TOML."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from pydantic import ValidationError

from planner.core import ModelCard
from planner.errors import InvalidInput


def read_cards(path: Path) -> list[ModelCard]:
    """Model cards of a `.toml` file (tables `[[models]]`) or a `.json` one (a list, or `{"models": [...]}`).

    Raises InvalidInput naming the file, the card and the field.
    """
    cards = _listed(path)
    if not cards:
        raise InvalidInput(f"{path} holds no model card: write a list of {{name, kind, active_params, ...}}")
    found: dict[str, ModelCard] = {}
    for number, value in enumerate(cards, 1):
        card = _card(f"{path}: card {number}", value)
        if card.name in found:
            raise InvalidInput(f"{path}: card {number}: name: {card.name!r} is there twice")
        found[card.name] = card
    return list(found.values())


def _listed(path: Path) -> list[object]:
    try:
        data = path.read_bytes().decode("utf-8")
        content = tomllib.loads(data) if path.suffix == ".toml" else json.loads(data)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no {'TOML' if path.suffix == '.toml' else 'JSON'} in UTF-8: {error}") from error
    if isinstance(content, dict):
        content = content.get("models", [content] if "name" in content else content)
    if not isinstance(content, list):
        raise InvalidInput(f"{path}: expected a list of model cards, in TOML as tables [[models]]")
    return content


def _card(where: str, value: object) -> ModelCard:
    try:
        return ModelCard.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
        raise InvalidInput(f"{where}: {problems}") from error
