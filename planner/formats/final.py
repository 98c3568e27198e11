"""Where a text says its final answer: after `Answer:`, in a box, in a field, or all of it."""

from __future__ import annotations

import json
import re
from typing import Any

from planner.formats.numbers import canonical_number

_BRACES = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|(?P<escaped>\\.)|(?P<closes>\})|\{", re.DOTALL)
_SAID = re.compile(r"answer[\s*_`]*:[\s*_`]*(?P<answer>[^\n]*)", re.IGNORECASE)
_MARKUP = " \t\r*_`"
_MOST_OBJECTS = 1000
"""Braces looked at: a text of nothing else would take for ever."""
_MOST_LOST = 1_000_000
"""Characters read of objects that turn out to be none: each of them may go on to the end of the text."""


def text(raw: str) -> str | None:
    """The whole text, runs of white space made one space; None if nothing is left.

    >>> text("  two   words ")
    'two words'
    """
    return " ".join(raw.split()) or None


def raw_text(raw: str) -> str | None:
    """The whole text as it is, as for code; None if it is blank."""
    return raw if raw.strip() else None


def said(raw: str) -> str | None:
    r"""What follows the last `Answer:` on its line, without a box around it; None where nothing does.

    >>> said("Answer: 3? No.\nFinal answer: **7**.")
    '7'
    >>> said(r"The answer: $\boxed{7}$")
    '7'
    """
    for match in reversed(list(_SAID.finditer(raw))):
        found = match["answer"]
        inner = boxed(found) or text(found.rstrip(_MARKUP).removesuffix(".").rstrip(_MARKUP))
        if inner is not None:
            return inner
    return None


def boxed(raw: str) -> str | None:
    r"""Contents of the last complete `\boxed{...}` (or `\fbox`), braces nested to any depth.

    >>> boxed(r"so \boxed{\frac{1}{2}}")
    '\\frac{1}{2}'
    """
    open_at: list[int | None] = []  # where the contents of each open brace begin, if it is a box's
    last: tuple[int, int] | None = None
    for match in _BRACES.finditer(raw):
        if match["closes"]:
            start = open_at.pop() if open_at else None
            if start is not None and (last is None or start > last[0]):
                last = (start, match.start())
        elif not match["escaped"]:
            open_at.append(match.end() if match["box"] else None)
    return None if last is None else text(raw[last[0] : last[1]])


def auto(raw: str) -> str | None:
    r"""After the last `Answer:`, else in a box, else the whole text normalised; a number in its canonical form.

    >>> auto("3 + 4 = 7\nAnswer: 7"), auto(r"so \boxed{1{,}000.0}"), auto("seven")
    ('7', '1000', 'seven')
    """
    found = said(raw) or boxed(raw) or text(raw)
    return None if found is None else canonical_number(found)


def json_field(raw: str, field: str) -> str | None:
    """The member `field` (`a.b` goes deeper) of the last JSON object in the text; None where there is none.

    >>> json_field('Here: {"result": {"value": 7}}', "result.value")
    '7'
    """
    for value in reversed(list(_objects(raw))):
        found: Any = value
        for name in field.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None:
            return text(found if isinstance(found, str) else json.dumps(found, sort_keys=True))
    return None


def _objects(raw: str) -> list[dict[str, Any]]:
    """Outermost JSON objects of a text, in order."""
    decoder, found, place, lost = json.JSONDecoder(), [], raw.find("{"), 0
    for _ in range(_MOST_OBJECTS):
        if place < 0 or lost > _MOST_LOST:
            break
        try:
            value, place = decoder.raw_decode(raw, place)
            found.append(value)
        except (ValueError, RecursionError) as error:
            lost += (error.pos if isinstance(error, json.JSONDecodeError) else len(raw)) - place
            place += 1
        place = raw.find("{", place)
    return found
