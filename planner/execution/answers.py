"""How a run reads its candidates: by an extractor of its own, of its prompt, of its data set, or the default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.errors import InvalidInput
from planner.formats.answers import Extractor, answer_line, extractor
from planner.formats.final import boxed

DEFAULT_EXTRACTOR = "auto"
DEFAULT_GRADER = "numeric"
MOST_CHARACTERS = 200_000
"""Answers stand at the end: a text of many megabytes is read from there."""
_LONG_GAP = re.compile(r"\s{100,}")


@dataclass(frozen=True)
class Reading:
    """extract: from a finished text to its comparable answer. answered: whether a text is a finished answer."""

    name: str
    extract: Extractor
    answered: Callable[[str], bool]


def first_named(member: str, *places: Mapping[str, Any] | None, default: str) -> str:
    """The name that the first of the places gives for `extract` or `grade`: run, prompt, data set, then the default.

    Raises InvalidInput where it is no text.
    """
    for place in places:
        name = (place or {}).get(member)
        if name is not None:
            if not isinstance(name, str):
                raise InvalidInput(f"{member}: expected the name of one, got {name!r}")
            return name
    return default


def reading(name: str) -> Reading:
    """The reading by the extractor of that name; raises InvalidInput for an unknown one."""
    extract = extractor(name)
    if name == "raw":
        return Reading(name, extract, _says_its_answer)
    explicit = name.startswith(("regex:", "json:"))

    def read(text: str) -> str | None:
        return extract(_tail(text))

    def answered(text: str) -> bool:
        return read(text) is not None if explicit else _says_its_answer(text)

    return Reading(name, read, answered)


def _says_its_answer(text: str) -> bool:
    tail = _tail(text)
    return answer_line(tail) is not None or boxed(tail) is not None


def _tail(text: str) -> str:
    """The end of a text, without gaps so long that a pattern would try them in every way."""
    return _LONG_GAP.sub("\n\n", text[-MOST_CHARACTERS:])
