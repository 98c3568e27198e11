"""Columns of a flat table, checked and made narrow a block at a time, without an object a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import BadLog
from planner.formats.limits import (
    EMPTY_IS_NONE,
    MAX_INTEGER,
    MAX_NAME_BYTES,
    MAX_SCORE,
    MAX_TEXT_BYTES,
    NAMES,
    NUMBERED,
)
from planner.formats.problems import shown
from planner.formats.tables import plain_values
from planner.formats.values import text_problem

if TYPE_CHECKING:
    import pyarrow as pa

Codes = NDArray[np.int32]
Numbers = NDArray[np.float64]
Report = Callable[[int, str, str], None]
"""Called with row, field and what is wrong there."""


@dataclass
class Vocabulary:
    """Texts of a column, each once; a row holds its place here, -1 for null."""

    texts: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def codes(self, given: Iterable[str]) -> list[int]:
        """Places of the texts, which are added where they are new."""
        places, texts, found = self._places, self.texts, []
        for text in given:
            place = places.get(text)
            if place is None:
                place = places[text] = len(texts)
                texts.append(text)
            found.append(place)
        return found

    def pick(self, codes: NDArray[Any]) -> list[str | None]:
        """Texts at the codes."""
        if len(codes) < len(self.texts):
            # A few rows, as of one run, must not cost what the whole vocabulary does.
            return [None if code < 0 else self.texts[code] for code in codes.tolist()]
        lookup = np.empty(len(self.texts) + 1, dtype=object)
        lookup[:-1] = self.texts
        lookup[-1] = None
        picked: list[str | None] = lookup[codes].tolist()
        return picked


def text_codes(column: pa.Array, name: str, words: Vocabulary, report: Report) -> Codes:
    """Codes of a column of text; rows that hold no usable text are reported and become null.

    Raises BadLog where the whole column is of another type.
    """
    import pyarrow as pa  # noqa: PLC0415

    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), -1, dtype=np.int32)
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind) and name in NUMBERED:
        column, kind = column.cast(pa.string()), pa.string()
    if not (_is_text(kind) or _is_bytes(kind)):
        raise BadLog(f"{name}: the column holds {kind}, expected text")
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    texts = _decoded(encoded.dictionary)
    problems = _problems(texts, MAX_NAME_BYTES if name in NAMES else MAX_TEXT_BYTES)
    for place, wrong in problems.items():
        for row in np.flatnonzero(codes == place):
            report(int(row), name, wrong)
    empty_is_none = name in EMPTY_IS_NONE and "" in texts
    absent = {place for place, text in enumerate(texts) if text == ""} if empty_is_none else set()
    absent |= problems.keys()
    lookup = np.full(len(texts) + 1, -1, dtype=np.int32)
    usable = [place for place in range(len(texts)) if place not in absent] if absent else range(len(texts))
    lookup[np.asarray(usable, dtype=np.intp)] = words.codes(
        text for place in usable if (text := texts[place]) is not None
    )
    found: Codes = lookup[codes]
    return found


def _problems(texts: list[str | None], limit: int) -> dict[int, str]:
    """What is wrong with the texts, by place; mostly nothing is, and then they are looked at all at once."""
    known = [text for text in texts if text is not None]
    if len(known) == len(texts) and max(map(len, known), default=0) * 4 <= limit and "\0" not in "".join(known):
        return {}
    found = {}
    for place, text in enumerate(texts):
        wrong = "is no valid UTF-8" if text is None else text_problem(text, limit)
        if wrong is not None:
            found[place] = wrong
    return found


def numbers(column: pa.Array, name: str, report: Report) -> Numbers:
    """A column of numbers, NaN for null; rows out of bounds are reported and become NaN.

    Raises BadLog where the whole column is of another type.
    """
    import pyarrow as pa  # noqa: PLC0415

    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if _is_text(kind) or _is_bytes(kind):
        found = _parsed(column, name, report)
    elif pa.types.is_boolean(kind) and name != "correct":
        raise BadLog(f"{name}: the column holds {kind}, expected numbers")
    elif (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        found = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    else:
        raise BadLog(f"{name}: the column holds {kind}, expected numbers")
    bad = _out_of_bounds(found, name)
    for row in np.flatnonzero(bad):
        report(int(row), name, f"is {shown(float(found[row]))}")
    found[bad] = np.nan
    return found


def _out_of_bounds(found: Numbers, name: str) -> NDArray[np.bool_]:
    known = ~np.isnan(found)
    match name:
        case "correct":
            fits = (found >= 0) & (found <= 1)
        case "score" | "score_min":
            fits = np.abs(found) <= MAX_SCORE
        case "latency_seconds":
            fits = (found >= 0) & np.isfinite(found)
        case _:
            fits = (found >= 0) & (found <= MAX_INTEGER) & (found == np.floor(found))
    bad: NDArray[np.bool_] = known & ~fits
    return bad


def _parsed(column: pa.Array, name: str, report: Report) -> Numbers:
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    lookup = np.full(len(encoded.dictionary) + 1, np.nan)
    for place, text in enumerate(_decoded(encoded.dictionary)):
        found = _number("?" if text is None else text, name)
        if found is None:
            for row in np.flatnonzero(codes == place):
                report(int(row), name, f"is {shown(text) if text is not None else 'no valid UTF-8'}")
        else:
            lookup[place] = found
    picked: Numbers = lookup[codes]
    return picked


def _number(text: str, name: str) -> float | None:
    text = text.strip().lower()
    if name == "correct" and text in ("true", "false"):
        return float(text == "true")
    if text in ("nan", "null", "none", ""):
        return float("nan")
    try:
        # Python reads 1_000 as a number; nobody who writes a table means that
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _decoded(values: pa.Array) -> list[str | None]:
    return [None if isinstance(value, bytes) else value for value in plain_values("", values)]


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
