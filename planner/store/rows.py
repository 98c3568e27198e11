"""From runs as objects to runs as columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError

from planner.core import Run, Sample
from planner.core.batch import Batch, PromptColumns, RunColumns, SampleColumns
from planner.errors import BadLog

MOST_ANSWER_CHARACTERS = 64
"""A longer answer says its question again."""
_HASHED = "sha256:"


class ArmRow(NamedTuple):
    """How a run was made; `params` is canonical JSON."""

    generator: str
    verifier: str | None
    search: str
    selection: str | None
    breadth: int
    depth: int
    params: str


def canonical_json(value: object) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def text_hash(text: str) -> str:
    """SHA-256 of a prompt's text, in hex: its id where it bears none."""
    return hashlib.sha256(text.encode()).hexdigest()


def without_text(answer: str) -> str:
    """What is kept of an answer where no texts are: a long one as its hash, so that equal ones are equal still."""
    return answer if len(answer) <= MOST_ANSWER_CHARACTERS else f"{_HASHED}{text_hash(answer)}"


def is_hashed(answer: str | None) -> bool:
    """Whether a stored answer is the hash of a long one."""
    return answer is not None and answer.startswith(_HASHED)


def run_id_of(run: Run) -> str:
    """Id of a run: its own, else a hash of all that it says."""
    return run.run_id or hashlib.sha256(run.model_dump_json(exclude={"run_id"}).encode()).hexdigest()[:32]


def as_batch(runs: Sequence[Run]) -> Batch:
    """Columns of `runs`; without run_id a content hash stands in, without prompt_id the hash of the prompt.

    Raises BadLog for a text that is no valid UTF-8.
    """
    try:
        return _as_batch(runs)
    except (UnicodeEncodeError, PydanticSerializationError) as error:
        raise BadLog(f"a text is no valid UTF-8: {error}") from error


def _as_batch(runs: Sequence[Run]) -> Batch:
    prompt_ids = [run.prompt_id or text_hash(run.prompt or "") for run in runs]
    # Of the runs on one prompt, the first says what is known of it.
    first = {(prompt_id, run.prompt): run for prompt_id, run in zip(reversed(prompt_ids), reversed(runs), strict=True)}
    met = [(*key, first[key]) for key in dict.fromkeys(zip(prompt_ids, (run.prompt for run in runs), strict=True))]
    samples = [sample for run in runs for sample in run.samples]
    return Batch(
        PromptColumns(
            prompt_id=[prompt_id for prompt_id, _, _ in met],
            text=[text for _, text, _ in met],
            dataset=[run.dataset for _, _, run in met],
            reference=[run.reference for _, _, run in met],
            metadata=[run.metadata or None for _, _, run in met],
        ),
        RunColumns(
            run_id=[run_id_of(run) for run in runs],
            prompt_id=prompt_ids,
            params=[canonical_json(run.params) if run.params else "{}" for run in runs],
            **_columns(runs, _RUN_COLUMNS),
        ),
        SampleColumns(
            run=[place for place, run in enumerate(runs) for _ in run.samples],
            **_columns(samples, _SAMPLE_COLUMNS),
        ),
    )


def _columns(rows: Sequence[Run] | Sequence[Sample], names: Sequence[str]) -> dict[str, list[Any]]:
    """Fields of models as columns, read from their dictionaries: a model's own way to a field takes twice as long."""
    values = [list(column) for column in zip(*map(itemgetter(*names), map(vars, rows)), strict=True)]
    return dict(zip(names, values or [[] for _ in names], strict=True))


_RUN_COLUMNS = [f.name for f in fields(RunColumns) if f.name not in {"run_id", "prompt_id", "params"}]
_SAMPLE_COLUMNS = [f.name for f in fields(SampleColumns) if f.name != "run"]
