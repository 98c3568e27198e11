"""Logged runs as narrow columns: what a store hands to the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm, ModelCard
from planner.texts.kept import Text

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class PromptTable:
    """Prompts of a log, in the order in which every other table counts them.

    A text that is not stored is a `HashedText`.
    """

    ids: tuple[str, ...]
    texts: tuple[Text, ...]
    datasets: tuple[str | None, ...]
    metadata: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> PromptTable:
        """The prompts at `rows`, in that order."""
        return PromptTable(
            tuple(self.ids[i] for i in rows),
            tuple(self.texts[i] for i in rows),
            tuple(self.datasets[i] for i in rows),
            tuple(self.metadata[i] for i in rows),
        )


@dataclass(frozen=True)
class Pool:
    """Samples that may be pooled: one generator, one verifier, one setting of temperature and the like."""

    generator: str
    verifier: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleTable:
    """One row a sample, sorted by (pool, prompt, run, chain, attempt).

    `answer` is a code: two samples of one prompt agree iff their codes are equal; -1 gave no answer.
    Unknown numbers are NaN.
    """

    pool: Ints
    prompt: Ints
    run: Ints
    chain: Ints
    attempt: Ints
    answer: Ints
    correct: Floats
    score: Floats
    score_min: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats
    latency_seconds: Floats

    def __len__(self) -> int:
        return len(self.pool)


@dataclass(frozen=True)
class RunTable:
    """One row a run that is one outcome of its arm: tree searches, runs under a stop rule, runs without samples."""

    arm: Ints
    prompt: Ints
    correct: Floats
    generations: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats
    usd: Floats
    latency_seconds: Floats

    def __len__(self) -> int:
        return len(self.arm)


@dataclass(frozen=True)
class Logs:
    """All that a fit reads.

    `samples` hold the exchangeable draws (their `pool` indexes `pools`). `runs` are single outcomes of `arms`.
    `candidates` are finished candidates logged with tree searches: their `run` indexes `runs`, `pool` is -1.
    """

    prompts: PromptTable
    pools: tuple[Pool, ...]
    samples: SampleTable
    arms: tuple[Arm, ...]
    runs: RunTable
    candidates: SampleTable
    models: Mapping[str, ModelCard]

    def take_prompts(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Logs:
        """The logs of the prompts at `rows` alone, in rising order; pools, arms and models stay as they are."""
        chosen = np.unique(np.asarray(rows, dtype=np.intp))
        place = np.full(len(self.prompts), -1, dtype=np.int32)
        place[chosen] = np.arange(len(chosen), dtype=np.int32)
        kept = place[self.runs.prompt] >= 0
        run_place = np.cumsum(kept, dtype=np.int32) - 1
        candidates = _of_prompts(self.candidates, place)
        return replace(
            self,
            prompts=self.prompts.take(chosen),
            samples=_of_prompts(self.samples, place),
            runs=_of_prompts(self.runs, place),
            candidates=replace(candidates, run=run_place[candidates.run]),
        )


_Rows = TypeVar("_Rows", SampleTable, RunTable)


def _of_prompts(table: _Rows, place: Ints) -> _Rows:
    """Rows of the prompts that have a new place, with that place."""
    kept = place[table.prompt] >= 0
    columns = {column.name: getattr(table, column.name)[kept] for column in fields(table)}
    return type(table)(**columns | {"prompt": place[columns["prompt"]]})
