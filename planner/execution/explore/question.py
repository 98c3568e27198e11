from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from planner.core import Message


@dataclass(frozen=True)
class Question:
    """A prompt of a sweep; without a reference its answers stay ungraded, until the same sweep comes with one.

    messages: as sent; `prompt` is their text. extract, grade: names for all that the sweep reads; None leaves them
    to the prompt's metadata, the data set and the defaults.
    """

    prompt: str
    prompt_id: str
    messages: tuple[Message, ...]
    reference: str | None = None
    dataset: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    extract: str | None = None
    grade: str | None = None
