"""All rows of one flat table as narrow arrays, bad rows named and left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import BadLog
from planner.formats.flat_columns import Codes, Numbers, Vocabulary, numbers, text_codes
from planner.formats.flat_lost import RUN_KEY, Key, LostRows
from planner.formats.limits import EXPECTED
from planner.formats.problems import Problems
from planner.formats.records import text_hash
from planner.formats.tables import Block, Table, blank_rows, line_in, row_values
from planner.formats.values import Wrong, mapping

TEXTS = (
    "prompt_id", "prompt", "dataset", "reference", "metadata", "generator", "verifier", "run_id", "params",
    "answer", "status", "text",
)  # fmt: skip
NUMBERS = (
    "chain", "attempt", "correct", "score", "score_min", "prompt_tokens", "completion_tokens", "verifier_tokens",
    "latency_seconds",
)  # fmt: skip
_OBJECTS = ("params", "metadata")
_OK = "ok"


@dataclass
class FlatRows:
    """Good rows of a table; `codes` index `words`, `numbers` are NaN where unknown, `line` is where a row stands.

    A column that the table lacks, or that is null throughout, is missing in both.
    """

    words: dict[str, Vocabulary] = field(default_factory=lambda: {name: Vocabulary() for name in TEXTS})
    codes: dict[str, Codes] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)
    line: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    lost: LostRows = field(default_factory=LostRows)

    def __len__(self) -> int:
        return len(self.line)

    def keep(self, rows: NDArray[Any]) -> None:
        """Leave only the given rows (indices or a mask)."""
        self.line = self.line[rows]
        self.codes = {name: column[rows] for name, column in self.codes.items()}
        self.numbers = {name: column[rows] for name, column in self.numbers.items()}

    def leave_out(self, bad: NDArray[np.bool_], unsure: NDArray[np.bool_] | None = None) -> None:
        """Leave out bad rows, and remember their keys; `unsure` marks those whose key is bad itself."""
        places = np.flatnonzero(bad)
        if len(places):
            self.lost.add(self.keys(places), repeat(False, len(places)) if unsure is None else unsure[places].tolist())
        self.keep(~bad)

    def keys(self, places: NDArray[np.intp]) -> Iterator[Key]:
        """What tells the runs of the given rows apart."""
        nothing = [-1] * len(places)
        return zip(
            *(self.codes[name][places].tolist() if name in self.codes else nothing for name in RUN_KEY), strict=True
        )

    def row(self, place: int) -> dict[str, Any]:
        """One row by the names of its columns, to be shown to people; what is null is not in it."""
        texts = {name: self.words[name].pick(column[[place]])[0] for name, column in self.codes.items()}
        figures = {name: float(column[place]) for name, column in self.numbers.items() if not np.isnan(column[place])}
        return {name: text for name, text in texts.items() if text is not None} | figures


def read_rows(path: Path, table: Table, problems: Problems) -> FlatRows:
    """Read and check every row. Raises BadLog for a column that is missing or of another type."""
    _require_columns(path, table.columns)
    rows = FlatRows()
    parts: list[_Part] = []
    for block in table.blocks:
        if block.rows.num_rows:
            try:
                part = _part(path, block, rows.words, problems)
            except BadLog as error:
                raise BadLog(f"{path}: {error}") from error
            parts += [part] if len(part.line) else []
    if not parts:
        if table.ragged:
            return rows
        raise BadLog(f"{path}:1: row: the table has no rows, expected one row a sample")
    rows.line = np.concatenate([part.line for part in parts])
    for kind in ("codes", "numbers"):
        for name in getattr(parts[0], kind):
            getattr(rows, kind)[name] = np.concatenate([getattr(part, kind)[name] for part in parts])
    rows.codes = {name: column for name, column in rows.codes.items() if (column >= 0).any()}
    rows.numbers = {name: column for name, column in rows.numbers.items() if not np.isnan(column).all()}
    rows.leave_out(~np.concatenate([part.good for part in parts]), np.concatenate([part.unsure for part in parts]))
    rows.lost.n_unplaced += len(table.ragged)
    return rows


@dataclass
class _Part:
    codes: dict[str, Codes]
    numbers: dict[str, Numbers]
    line: NDArray[np.int64]
    good: NDArray[np.bool_]
    unsure: NDArray[np.bool_]


def _part(path: Path, block: Block, words: Mapping[str, Vocabulary], problems: Problems) -> _Part:
    n = block.rows.num_rows
    good, unsure = np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)

    kept = ~blank_rows(block.rows)

    def report(row: int, name: str, wrong: str, expected: str | None = None) -> None:
        if not kept[row]:
            return
        unsure[row] |= name in RUN_KEY
        if good[row]:  # one reason a line
            good[row] = False
            line = row_values(block, row) if problems.rejected else None
            problems.add(f"{path}:{line_in(block, row)}", name, wrong, expected or EXPECTED[name], line=line)

    columns = dict(zip(block.rows.schema.names, block.rows.columns, strict=True))
    codes = {name: text_codes(columns[name], name, words[name], report) for name in TEXTS if name in columns}
    found = {name: numbers(columns[name], name, report) for name in NUMBERS if name in columns}
    _check_vocabulary(codes, words, report)
    _fill_prompt_id(codes, words, n)
    no_generator = codes["generator"] < 0
    for row in np.flatnonzero(no_generator):
        report(int(row), "generator", "is missing")
    for row in np.flatnonzero(codes["prompt_id"] < 0):
        report(
            int(row), "prompt", "neither prompt nor prompt_id stands here", "the prompt's text, or an id that is known"
        )
    for row in np.flatnonzero(_says_nothing(codes, found, words, n)):
        report(
            int(row),
            "answer",
            "neither answer nor correct stands here",
            "at least one of them, or another status than ok",
        )
    return _Part(
        {name: column[kept] for name, column in codes.items()},
        {name: column[kept] for name, column in found.items()},
        block.first + np.flatnonzero(kept),
        good[kept],
        unsure[kept],
    )


def _require_columns(path: Path, names: tuple[str, ...]) -> None:
    for wanted in (("generator",), ("prompt", "prompt_id"), ("answer", "correct", "text")):
        if not any(name in names for name in wanted):
            raise BadLog(
                f"{path}:1: {wanted[0]}: the table has no such column, expected {' or '.join(wanted)} "
                f"(it has {', '.join(names[:20])})"
            )


def _check_vocabulary(codes: Mapping[str, Codes], words: Mapping[str, Vocabulary], report: Any) -> None:  # noqa: ANN401
    if "status" in codes:
        for place, text in enumerate(words["status"].texts):
            if text not in ("ok", "truncated", "error"):
                for row in np.flatnonzero(codes["status"] == place):
                    report(int(row), "status", f"is {text!r}")
    for name in _OBJECTS:
        if name in codes:
            for place in np.unique(codes[name][codes[name] >= 0]):
                wrong = _no_object(name, words[name].texts[place])
                if wrong is None:
                    continue
                for row in np.flatnonzero(codes[name] == place):
                    report(int(row), name, wrong.wrong, wrong.expected)


def _no_object(name: str, text: str) -> Wrong | None:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            mapping(name, found)
            return None
    except Wrong as wrong:
        return wrong
    except (ValueError, RecursionError):
        pass
    return Wrong(name, "is no JSON object")


def _fill_prompt_id(codes: dict[str, Codes], words: Mapping[str, Vocabulary], n: int) -> None:
    ids = codes.setdefault("prompt_id", np.full(n, -1, dtype=np.int32))
    if "prompt" not in codes:
        return
    bare = (ids < 0) & (codes["prompt"] >= 0)
    places, back = np.unique(codes["prompt"][bare], return_inverse=True)
    made = words["prompt_id"].codes(text_hash(words["prompt"].texts[place]) for place in places)
    ids[bare] = np.array(made, dtype=np.int32)[back]


def _says_nothing(
    codes: Mapping[str, Codes], found: Mapping[str, Numbers], words: Mapping[str, Vocabulary], n: int
) -> NDArray[np.bool_]:
    silent = np.ones(n, dtype=np.bool_)
    for name in ("answer", "text"):
        if name in codes:
            silent &= codes[name] < 0
    if "correct" in found:
        silent &= np.isnan(found["correct"])
    if "status" in codes and _OK in words["status"].texts:
        silent &= (codes["status"] < 0) | (codes["status"] == words["status"].texts.index(_OK))
    elif "status" in codes:
        silent &= codes["status"] < 0
    return silent
