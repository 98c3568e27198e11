"""Flat tables, one row a sample: rows of one (prompt_id, generator, verifier, run_id, params) are one sampling run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core.batch import Batch, PromptColumns, RunColumns, SampleColumns
from planner.formats.flat_lost import RUN_KEY
from planner.formats.flat_rows import FlatRows, read_rows
from planner.formats.problems import Problems
from planner.formats.records import Read, canonical
from planner.formats.tables import Table

_BATCH_SAMPLES = 50_000
_HASHED = ("chain", "attempt", "score", "score_min", "prompt_tokens", "completion_tokens", "latency_seconds")


def read_flat(path: Path, table: Table, problems: Problems) -> Iterator[Read]:
    """Complete runs, some ten thousand samples at a time, in the order in which the table meets them.

    The whole table is held as narrow columns meanwhile (about 60 bytes a row, and each text once), since rows of
    one run may stand anywhere.
    """
    rows = read_rows(path, table, problems)
    _one_text_a_prompt(path, rows, problems)
    prompts = _prompts(rows)
    grouped = _group(path, rows, problems)
    met = np.zeros(len(rows.words["prompt_id"].texts), dtype=np.bool_)
    ids = _run_ids(rows, grouped)
    hashed = None in _column(rows, "run_id", grouped.starts)
    for first, last in _chunks(grouped.starts, len(rows)):
        read = _read(rows, grouped, prompts, met, ids, first, last)
        read.n_unplaced = rows.lost.n_unplaced if hashed and first == 0 else 0
        yield read


@dataclass
class _Grouped:
    """Rows are sorted by (run, chain, attempt); `run` numbers the runs from 0, `starts` is each run's first row.

    `breadth` and `depth` are of runs: chains that stand in the table, and the greatest attempt.
    """

    run: NDArray[np.intp]
    chain: NDArray[np.int64]
    attempt: NDArray[np.int64]
    starts: NDArray[np.intp]
    breadth: NDArray[np.int64]
    depth: NDArray[np.int64]


def _one_text_a_prompt(path: Path, rows: FlatRows, problems: Problems) -> None:
    if "prompt" not in rows.codes:
        return
    ids, texts = rows.codes["prompt_id"], rows.codes["prompt"]
    first = np.full(len(rows.words["prompt_id"].texts), -1, dtype=np.int64)
    given = np.flatnonzero(texts >= 0)
    first[ids[given][::-1]] = given[::-1]  # the earliest row wins, being written last
    other = given[texts[given] != texts[first[ids[given]]]]
    for row in other:
        name, place = rows.words["prompt_id"].texts[ids[row]], rows.line[first[ids[row]]]
        problems.add(
            f"{path}:{rows.line[row]}",
            "prompt",
            f"prompt_id {name!r} stands for another text (line {place})",
            "one text for one prompt_id: give each text an id of its own, or leave the id out",
            line={"prompt_id": name, "prompt": rows.words["prompt"].texts[texts[row]]},
        )
    rows.leave_out(np.isin(np.arange(len(rows)), other))


def _group(path: Path, rows: FlatRows, problems: Problems) -> _Grouped:
    run = _numbered([rows.codes[name] for name in RUN_KEY if name in rows.codes], len(rows))
    chain, attempt = _places(rows, run)
    order = np.lexsort((attempt, chain, run))
    rows.keep(order)
    run, chain, attempt = run[order], chain[order], attempt[order]
    same = (np.diff(run) == 0) & (np.diff(chain) == 0) & (np.diff(attempt) == 0)
    twice = np.flatnonzero(same) + 1
    for row in twice:
        line = f"{path}:{rows.line[row]}"
        wrong = f"chain {chain[row]}, attempt {attempt[row]} of this run stands in line {rows.line[row - 1]} already"
        problems.add(line, "chain", wrong, "one row a sample: number the chains, or give each run a run_id")
    again = np.isin(np.arange(len(rows)), twice)
    rows.leave_out(again)
    run, chain, attempt = run[~again], chain[~again], attempt[~again]
    if problems.skip and rows.lost:
        whole = _whole(path, rows, run, problems)
        rows.keep(whole)
        run, chain, attempt = run[whole], chain[whole], attempt[whole]
    if len(run) == 0:
        return _Grouped(run, chain, attempt, run, chain, chain)
    begins = np.r_[True, np.diff(run) != 0]
    starts = np.flatnonzero(begins)
    breadth = np.add.reduceat((begins | np.r_[True, np.diff(chain) != 0]).astype(np.int64), starts)
    return _Grouped(np.cumsum(begins) - 1, chain, attempt, starts, breadth, np.maximum.reduceat(attempt, starts) + 1)


def _whole(path: Path, rows: FlatRows, run: NDArray[np.intp], problems: Problems) -> NDArray[np.bool_]:
    """Which rows are of runs that lost none; the others join the problems."""
    _, starts, back = np.unique(run, return_index=True, return_inverse=True)
    lost = np.array([rows.lost.touch(key) for key in rows.keys(starts)], dtype=np.bool_)[back]
    places = np.flatnonzero(lost)
    for place in places[np.argsort(rows.line[places])]:
        problems.add(
            f"{path}:{rows.line[place]}",
            "row",
            "another row of its run is bad",
            "all rows of a run without run_id, whose id is made of them",
            line=rows.row(int(place)) if problems.rejected else None,
        )
    return ~lost


def _numbered(keys: list[NDArray[Any]], n: int) -> NDArray[np.intp]:
    """One number for each distinct combination of codes, by first appearance."""
    number = np.zeros(n, dtype=np.int64)
    for codes in keys:
        number = number * (int(codes.max(initial=-1)) + 2) + codes + 1
        _, first, number = np.unique(number, return_index=True, return_inverse=True)
    if n == 0:
        return number
    rank = np.empty(len(first), dtype=np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]


def _places(rows: FlatRows, run: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chain and attempt of each row; rows that name neither are chains in the order in which they stand."""
    n = len(rows)
    chain = rows.numbers.get("chain", np.full(n, np.nan))
    attempt = rows.numbers.get("attempt", np.full(n, np.nan))
    neither = np.isnan(chain) & np.isnan(attempt)
    chain, attempt = np.nan_to_num(chain).astype(np.int64), np.nan_to_num(attempt).astype(np.int64)
    order = np.argsort(run, kind="stable")
    sizes = np.bincount(run)
    counted = np.empty(n, dtype=np.int64)
    counted[order] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.where(neither, counted, chain), attempt


def _prompts(rows: FlatRows) -> dict[str, NDArray[np.int32]]:
    """For each prompt the code of its text, data set, reference and metadata: the first that is given."""
    found = {}
    for name in ("prompt", "dataset", "reference", "metadata"):
        codes = np.full(len(rows.words["prompt_id"].texts), -1, dtype=np.int32)
        if name in rows.codes:
            given = np.flatnonzero(rows.codes[name] >= 0)
            given = given[np.argsort(rows.line[given])][::-1]
            codes[rows.codes["prompt_id"][given]] = rows.codes[name][given]
        found[name] = codes
    return found


def _run_ids(rows: FlatRows, grouped: _Grouped) -> list[str]:
    """Ids as logged; a content hash where there is none; qualified where one id stands for several runs here."""
    given = _column(rows, "run_id", grouped.starts)
    met: dict[str | None, int] = {}
    for one in given:
        met[one] = met.get(one, 0) + 1
    ends = np.r_[grouped.starts[1:], len(rows)]
    ids = []
    for run, one in enumerate(given):
        if one is None:
            ids.append(_content_hash(rows, grouped, int(grouped.starts[run]), int(ends[run])))
        else:
            ids.append(one if met[one] == 1 else f"{_key_hash(rows, int(grouped.starts[run]))[:16]}/{one}")
    return ids


def _content_hash(rows: FlatRows, grouped: _Grouped, first: int, last: int) -> str:
    span = slice(first, last)
    content: list[Any] = [_key_hash(rows, first), grouped.chain[span].tolist(), grouped.attempt[span].tolist()]
    content += [_column(rows, name, np.arange(first, last)) for name in ("answer", "status", "text")]
    # a column without a value in this run must not count: that the table has it is due to other runs
    figures = [rows.numbers[name][span] for name in _HASHED[2:] if name in rows.numbers]
    content += [repr(values.tolist()) for values in figures if not np.isnan(values).all()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _key_hash(rows: FlatRows, row: int) -> str:
    key = [_column(rows, name, np.array([row]))[0] for name in ("prompt_id", "generator", "verifier", "params")]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def _chunks(starts: NDArray[np.intp], n: int) -> Iterator[tuple[int, int]]:
    """Ranges of runs that hold some ten thousand samples each."""
    ends = np.r_[starts[1:], n]
    first = 0
    while first < len(starts):
        last = int(np.searchsorted(ends, starts[first] + _BATCH_SAMPLES, side="right"))
        last = max(last, first + 1)
        yield first, last
        first = last


def _read(
    rows: FlatRows,
    grouped: _Grouped,
    prompts: dict[str, NDArray[np.int32]],
    met: NDArray[np.bool_],
    ids: list[str],
    first: int,
    last: int,
) -> Read:
    starts = grouped.starts[first:last]
    end = int(grouped.starts[last]) if last < len(grouped.starts) else len(rows)
    span = np.arange(int(starts[0]), end)
    runs = _run_columns(rows, grouped, starts, ids[first:last])
    samples = _sample_columns(rows, grouped, span, grouped.run[span] - first)
    codes = rows.codes["prompt_id"][starts]
    fresh = np.unique(codes[~met[codes]])
    met[fresh] = True
    ends = np.r_[starts[1:], end]
    return Read(
        batch=Batch(_prompt_columns(rows, prompts, fresh), runs, samples),
        run_lines=rows.line[starts].tolist(),
        has_text=_have_text(rows, starts, end),
        raw=lambda run: [rows.row(place) for place in range(starts[run], ends[run])],
        done=end / len(rows),
    )


def _have_text(rows: FlatRows, starts: NDArray[np.intp], end: int) -> list[bool]:
    if "prompt" not in rows.codes:
        return [False] * len(starts)
    given = rows.codes["prompt"][starts[0] : end] >= 0
    found: list[bool] = np.logical_or.reduceat(given, starts - starts[0]).tolist()
    return found


def _prompt_columns(rows: FlatRows, prompts: dict[str, NDArray[np.int32]], codes: NDArray[Any]) -> PromptColumns:
    picked = {name: rows.words[name].pick(column[codes]) for name, column in prompts.items()}
    return PromptColumns(
        prompt_id=[rows.words["prompt_id"].texts[code] for code in codes],
        text=picked["prompt"],
        dataset=picked["dataset"],
        reference=picked["reference"],
        metadata=[None if text is None else json.loads(text) for text in picked["metadata"]],
    )


def _run_columns(rows: FlatRows, grouped: _Grouped, starts: NDArray[np.intp], ids: list[str]) -> RunColumns:
    n = len(starts)
    place = grouped.run[starts]
    texts = _column(rows, "params", starts)
    params = {text: canonical(json.loads(text)) for text in set(texts) if text}  # those of bad rows are no JSON
    columns: dict[str, list[Any]] = {
        "run_id": ids,
        "prompt_id": _column(rows, "prompt_id", starts),
        "generator": _column(rows, "generator", starts),
        "verifier": _column(rows, "verifier", starts),
        "search": ["sampling"] * n,
        "breadth": grouped.breadth[place].tolist(),
        "depth": grouped.depth[place].tolist(),
        "params": [params[text] if text else "{}" for text in texts],
        "status": ["ok"] * n,
    }
    nothing: list[None] = [None] * n
    return RunColumns(**{name: columns.get(name, nothing) for name in RunColumns.__dataclass_fields__})


def _sample_columns(rows: FlatRows, grouped: _Grouped, span: NDArray[Any], run: NDArray[Any]) -> SampleColumns:
    columns: dict[str, list[Any]] = {
        "run": run.tolist(),
        "chain": grouped.chain[span].tolist(),
        "attempt": grouped.attempt[span].tolist(),
        "answer": _column(rows, "answer", span),
        "text": _column(rows, "text", span),
        "status": [status or "ok" for status in _column(rows, "status", span)],
    }
    for name in ("correct", "score", "score_min", "latency_seconds"):
        columns[name] = _numbers(rows, name, span, np.float64)
    for name in ("prompt_tokens", "completion_tokens", "verifier_tokens"):
        columns[name] = _numbers(rows, name, span, np.int64)
    nothing: list[None] = [None] * len(span)
    return SampleColumns(**{name: columns.get(name, nothing) for name in SampleColumns.__dataclass_fields__})


def _column(rows: FlatRows, name: str, span: NDArray[Any]) -> list[Any]:
    if name not in rows.codes:
        return [None] * len(span)
    return rows.words[name].pick(rows.codes[name][span])


def _numbers(rows: FlatRows, name: str, span: NDArray[Any], kind: type[np.generic]) -> list[Any]:
    if name not in rows.numbers:
        return [None] * len(span)
    values = rows.numbers[name][span]
    unknown = np.isnan(values)
    if not unknown.any():
        found: list[Any] = values.astype(kind).tolist()
        return found
    listed = np.where(unknown, 0, values).astype(kind).astype(object)
    listed[unknown] = None
    return list(listed.tolist())
