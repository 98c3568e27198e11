"""What a fit reads: which logged samples may be pooled, and which runs are single outcomes (METHODS, 3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection

from planner.core import Arm, ModelCard
from planner.curves.logs import Floats, Ints, Logs, PromptTable, RunTable, SampleTable
from planner.store.engine import Database
from planner.store.logged_arms import Booleans, LoggedArms, read_arms
from planner.store.models import read_models
from planner.store.reading import JOINED_RUNS, Array, LogFilter, codes, read_columns, stream
from planner.texts.kept import HashedText

Rows = dict[str, Array]

_RUN_FIELDS = {
    "run_key": np.int64, "prompt_key": np.int64, "arm_key": np.int64, "n_samples": np.int32, "answer": str,
    "correct": np.float32, "status": str, "prompt_tokens": np.float32, "completion_tokens": np.float32,
    "verifier_calls": np.float32, "verifier_tokens": np.float32, "usd": np.float32,
    "latency_seconds": np.float32,
}  # fmt: skip
_SAMPLE_FIELDS = {
    "run_key": np.int64, "chain": np.int32, "attempt": np.int32, "answer": str, "correct": np.float32,
    "score": np.float32, "score_min": np.float32, "prompt_tokens": np.float32,
    "completion_tokens": np.float32, "verifier_tokens": np.float32, "latency_seconds": np.float32,
    "generator_key": np.float32, "verifier_key": np.float32, "status": str,
}  # fmt: skip
_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("pool", "prompt", "chain", "attempt", "answer"), np.int32),
    **dict.fromkeys(("correct", "score", "score_min", "prompt_tokens", "completion_tokens"), np.float32),
    **dict.fromkeys(("verifier_tokens", "latency_seconds"), np.float32),
}
_OK = hash("ok") or 1


def read_logs(database: Database, chosen: LogFilter) -> Logs:
    """See `Store.read_logs`."""
    with database.reading() as connection:
        arms = read_arms(connection)
        runs, rows = _outcomes(arms, *_read_rows(connection, chosen))
        prompts, runs["prompt"] = _read_prompts(connection, runs.pop("prompt_key"))
        models = {model.card.name: model.card for model in read_models(connection)}
    return _logs(arms, runs, rows, prompts, models)


def _read_rows(connection: Connection, chosen: LogFilter) -> tuple[Rows, Rows]:
    where, values = chosen.where(connection.dialect.name)
    fields = ", ".join(f"runs.{field}" for field in _RUN_FIELDS)
    query = f"SELECT {fields} FROM {JOINED_RUNS} WHERE {where} ORDER BY runs.run_key"  # noqa: S608 - own names
    runs = read_columns(connection, query, values, _RUN_FIELDS)
    only = "" if chosen.is_empty else f"WHERE run_key IN (SELECT runs.run_key FROM {JOINED_RUNS} WHERE {where})"  # noqa: S608
    query = f"SELECT {', '.join(_SAMPLE_FIELDS)} FROM samples {only} ORDER BY run_key, position"  # noqa: S608
    rows = read_columns(connection, query, values, _SAMPLE_FIELDS)
    rows["owner"] = np.searchsorted(runs["run_key"], rows.pop("run_key"))
    return runs, rows


def _outcomes(arms: LoggedArms, runs: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """Leave out runs that are no outcomes of an arm on a prompt."""
    kept = ~arms.tells_nothing[arms.row_of_key[runs["arm_key"]]]
    if kept.all():
        return runs, rows
    place = np.cumsum(kept) - 1
    mine = kept[rows["owner"]]
    rows = {name: values[mine] for name, values in rows.items()}
    return {name: values[kept] for name, values in runs.items()}, rows | {"owner": place[rows["owner"]]}


def _read_prompts(connection: Connection, keys: Array) -> tuple[PromptTable, Array]:
    """Prompts that have a run, and for each run the row of its prompt."""
    used, row_of_run = np.unique(keys, return_inverse=True)
    wanted = set(used.tolist())
    query = (
        "SELECT prompt_key, prompt_id, text, dataset, metadata, "
        "CASE WHEN text IS NULL THEN text_sha256 END, CASE WHEN text IS NULL THEN sketch END "
        "FROM prompts ORDER BY prompt_key"
    )
    rows = [row[1:] for chunk in stream(connection, query) for row in chunk if row[0] in wanted]
    ids, texts, datasets, metadata, hashes, sketches = zip(*rows, strict=True) if rows else ((),) * 6
    kept = tuple(
        HashedText(digest, sketch) if text is None else text
        for text, digest, sketch in zip(texts, hashes, sketches, strict=True)
    )
    loaded = tuple(json.loads(text) if text else {} for text in metadata)
    return PromptTable(ids, kept, datasets, loaded), row_of_run.astype(np.int32)


def _logs(arms: LoggedArms, runs: Rows, rows: Rows, prompts: PromptTable, models: Mapping[str, ModelCard]) -> Logs:
    arm = arms.row_of_key[runs["arm_key"]]
    for table in (runs, rows):
        table["correct"] = _graded(table)
    lone = arms.samples_independently[arm] & (runs["n_samples"] == 0) & (arms.size[arm] == 1)
    rows = _with_lone_runs(rows, runs, np.flatnonzero(lone))
    rows["answer"] = codes(rows["answer"])
    pooled = arms.samples_independently[arm] & ((runs["n_samples"] > 0) | lone)
    single = np.flatnonzero(~pooled)
    row_of_single = np.full(len(arm), -1, dtype=np.int32)
    row_of_single[single] = np.arange(len(single), dtype=np.int32)

    owner = rows["owner"]
    pools, pool = arms.pools(arm[owner], rows["generator_key"], rows["verifier_key"], pooled[owner])
    rows["pool"] = pool
    rows["prompt"] = runs["prompt"][owner]
    # a run that stopped when it liked what it saw says too much: its samples are in neither table
    finished = ~pooled[owner] & ~arms.stops[arm[owner]]
    lone_runs = {name: values[single] for name, values in runs.items()}
    used, run_table = _run_table(arms, arm[single], lone_runs, arms.verdicts(models))
    return Logs(
        prompts=prompts,
        pools=pools,
        samples=_sample_table(rows, pooled[owner], owner),
        arms=used,
        runs=run_table,
        candidates=_sample_table(rows, finished, row_of_single[owner]),
        models=models,
    )


def _graded(rows: Rows) -> Array:
    """Grades; what was cut off or failed without an answer is not correct, even if nobody graded it."""
    failed = (rows["status"] != 0) & (rows["status"] != _OK) & (rows["answer"] == 0)
    return np.where(np.isnan(rows["correct"]) & failed, np.float32(0), rows["correct"])


def _with_lone_runs(rows: Rows, runs: Rows, lone: Array) -> Rows:
    """Samples, and runs of one sample that log none: such a run is its own sample."""
    if len(lone) == 0:
        return rows
    own = {name: runs[name][lone] for name in rows if name in runs}
    own |= {"owner": lone, "chain": np.zeros(len(lone), np.int32), "attempt": np.zeros(len(lone), np.int32)}
    unknown = np.full(len(lone), np.nan, np.float32)
    return {name: np.concatenate([values, own.get(name, unknown)]) for name, values in rows.items()}


def _sample_table(rows: Rows, chosen: Booleans, run: Array) -> SampleTable:
    index = np.flatnonzero(chosen)
    keys = [values[index] for values in (rows["attempt"], rows["chain"], run, rows["prompt"], rows["pool"])]
    index = index[np.lexsort(keys)]
    return SampleTable(
        run=run[index].astype(np.int32, copy=False),
        **{name: values[index].astype(_TYPES[name], copy=False) for name, values in rows.items() if name in _TYPES},
    )


def _run_table(arms: LoggedArms, arm: Array, runs: Rows, verdicts: Floats) -> tuple[tuple[Arm, ...], RunTable]:
    used, arm_of_run = _distinct(arms.arms, arm)
    planned = arms.generations[arm]
    drawn = np.where(arms.stops[arm] & (runs["n_samples"] > 0), runs["n_samples"], planned).astype(np.float32)
    # a verdict of a language model is one more generation (Filter-Vote); where nobody counted them, one of each draw
    expected = verdicts[arm] * drawn / planned
    counted = (expected > 0) & ~np.isnan(runs["verifier_calls"])
    generations = drawn + np.where(counted, runs["verifier_calls"], expected)
    return used, RunTable(
        arm=arm_of_run,
        prompt=runs["prompt"],
        correct=runs["correct"],
        generations=generations,
        prompt_tokens=runs["prompt_tokens"],
        completion_tokens=runs["completion_tokens"],
        verifier_tokens=runs["verifier_tokens"],
        usd=runs["usd"],
        latency_seconds=runs["latency_seconds"],
    )


def _distinct(arms: tuple[Arm, ...], arm: Array) -> tuple[tuple[Arm, ...], Ints]:
    rows, place = np.unique(arm, return_inverse=True)
    keys = [arms[row].key for row in rows]
    by_key = {arms[row].key: arms[row] for row in rows}
    order = {key: code for code, key in enumerate(sorted(by_key))}
    code_of = np.array([order[key] for key in keys], dtype=np.int32)
    return tuple(by_key[key] for key in order), code_of[place].astype(np.int32)
