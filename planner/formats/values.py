"""What a value of each field may be: a check gives the value as it is kept, or raises Wrong with the reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from planner.core import NO_OUTCOMES, SEARCHES, SELECTIONS
from planner.formats.limits import EXPECTED, MAX_INTEGER, MAX_NAME_BYTES, MAX_SCORE, MAX_TEXT_BYTES, NUMBERED, STATUSES
from planner.formats.problems import shown

_LONGEST = 10**30  # of a number that stands for its digits


class Wrong(Exception):
    """One field does not hold what it should; `field` may be a path such as `samples[3].score`."""

    def __init__(self, field: str, wrong: str, expected: str | None = None) -> None:
        super().__init__(f"{field}: {wrong}")
        self.field = field
        self.wrong = wrong
        self.expected = expected or EXPECTED.get(field.rsplit(".", 1)[-1], "another value")


Check = Callable[[str, Any], Any]


def text_problem(value: str, limit: int) -> str | None:
    """What is wrong with a text that is to be stored, if anything is."""
    if len(value) * 4 > limit and len(value.encode("utf-8", "surrogatepass")) > limit:
        return f"has {len(value.encode('utf-8', 'surrogatepass')):,} bytes, the limit is {limit:,}"
    if "\0" in value:
        return "holds a NUL character"
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return "holds half of a surrogate pair, which is no valid UTF-8"
    return None


def text(field: str, value: Any) -> str | None:  # noqa: ANN401 - whatever stands in the log
    """Free text or null."""
    return _text(field, value, MAX_TEXT_BYTES)


def name(field: str, value: Any) -> str | None:  # noqa: ANN401
    """A name or an id, which is indexed; the empty text is none."""
    found = _text(field, value, MAX_NAME_BYTES)
    if found == "":
        raise Wrong(field, "is empty")
    return found


def reference(field: str, value: Any) -> str | None:  # noqa: ANN401
    """A gold answer or null; no answer equals the empty text, so that it is none."""
    return text(field, value) or None


def required_name(field: str, value: Any) -> str:  # noqa: ANN401
    """A name that must be there."""
    found = name(field, value)
    if found is None:
        raise Wrong(field, "is missing")
    return found


def whole(field: str, value: Any) -> int | None:  # noqa: ANN401
    """A whole number of 0 or more, or null; 5.0 is 5."""
    return None if value is None else _whole(field, value, 0)


def index(field: str, value: Any) -> int:  # noqa: ANN401
    """A whole number of 0 or more."""
    return _whole(field, value, 0)


def from_one(field: str, value: Any) -> int:  # noqa: ANN401
    """A whole number of 1 or more."""
    return _whole(field, value, 1)


def number(field: str, value: Any) -> float | None:  # noqa: ANN401
    """A finite number or null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(field, f"is {shown(value)}")
    try:
        found = float(value)
    except OverflowError:
        raise Wrong(field, f"is {shown(value)}") from None
    if not math.isfinite(found):
        raise Wrong(field, f"is {found}")
    return found


def score(field: str, value: Any) -> float | None:  # noqa: ANN401
    """A verifier's score on any scale, or null."""
    return _within(field, number(field, value), -MAX_SCORE, MAX_SCORE)


def amount(field: str, value: Any) -> float | None:  # noqa: ANN401
    """A finite number of 0 or more, or null."""
    return _within(field, number(field, value), 0, math.inf)


def share(field: str, value: Any) -> float | None:  # noqa: ANN401
    """A number in 0..1, or null; true and false are 1 and 0."""
    return float(value) if isinstance(value, bool) else _within(field, number(field, value), 0, 1)


def propensity(field: str, value: Any) -> float | None:  # noqa: ANN401
    """A number above 0 and at most 1, or null."""
    found = _within(field, number(field, value), 0, 1)
    if found == 0:
        raise Wrong(field, "is 0")
    return found


def status(field: str, value: Any) -> str:  # noqa: ANN401
    """How a run or sample ended; null is ok."""
    if value is None:
        return "ok"
    if value not in STATUSES or not isinstance(value, str):
        raise Wrong(field, f"is {shown(value)}")
    return value


def search(field: str, value: Any) -> str:  # noqa: ANN401
    """The name of a search that is known; null is `sampling`."""
    known = (*SEARCHES, "session", *NO_OUTCOMES)
    if value is None:
        return "sampling"
    if not isinstance(value, str) or (value not in known and value not in _third_parties("planner.strategies")):
        raise Wrong(field, f"{shown(value)} is no known search", f"one of {', '.join(known)}")
    return value


def selection(field: str, value: Any) -> str | None:  # noqa: ANN401
    """The name of a selection that is known, or null."""
    if value is None or (isinstance(value, str) and value in SELECTIONS):
        return value
    if not isinstance(value, str) or value not in _third_parties("planner.selections"):
        raise Wrong(field, f"{shown(value)} is no known selection", f"one of {', '.join(SELECTIONS)}, or null")
    return value


@cache
def _third_parties(group: str) -> frozenset[str]:
    """Names that installed packages bring; their code is not needed to read what they logged."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - few logs need it

    return frozenset(entry_points(group=group).names)


def moment(field: str, value: Any) -> datetime | None:  # noqa: ANN401
    """A time with its zone, or null."""
    if value is None:
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Wrong(field, f"is {shown(value)}") from None
    if found.tzinfo is None:
        raise Wrong(field, f"{shown(str(value))} names no zone")
    try:
        found.astimezone(UTC)
    except OverflowError:
        raise Wrong(field, f"{shown(str(value))} lies outside the years 1 to 9999 in UTC") from None
    return found


def steps(field: str, value: Any) -> tuple[float, ...] | None:  # noqa: ANN401
    """Scores of all steps, or null."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise Wrong(field, f"is {shown(value)}")
    found = tuple(score(f"{field}[{place}]", one) for place, one in enumerate(value))
    if any(one is None for one in found):
        raise Wrong(field, "holds a null")
    return tuple(one for one in found if one is not None)


def mapping(field: str, value: Any) -> Mapping[str, Any] | None:  # noqa: ANN401
    """A JSON object, or null."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Wrong(field, f"is {shown(value)}")
    _check_texts(field, value)
    return value


def _text(field: str, value: Any, limit: int) -> str | None:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LONGEST and _is_numbered(field):
        value = str(value)
    if not isinstance(value, str):
        raise Wrong(field, f"is {shown(value)}")
    problem = text_problem(value, limit)
    if problem:
        raise Wrong(field, problem)
    return value


def _is_numbered(field: str) -> bool:
    return field.rpartition(".")[2] in NUMBERED


def _whole(field: str, value: Any, least: int) -> int:  # noqa: ANN401
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_INTEGER:
        raise Wrong(field, f"is {shown(value)}")
    return value


def _within(field: str, value: float | None, least: float, most: float) -> float | None:
    if value is not None and not least <= value <= most:
        raise Wrong(field, f"is {shown(value)}")
    return value


def _check_texts(field: str, value: Any) -> None:  # noqa: ANN401
    if isinstance(value, str):
        problem = text_problem(value, MAX_TEXT_BYTES)
        if problem:
            raise Wrong(field, problem, EXPECTED["text"])
    elif isinstance(value, Mapping):
        for key, member in value.items():
            _check_texts(field, key)
            _check_texts(field, member)
    elif isinstance(value, list | tuple):
        for member in value:
            _check_texts(field, member)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Wrong(field, f"holds {value}", "finite numbers")
