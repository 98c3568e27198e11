"""What passes from a reader of logs into a store: complete runs as plain columns, checked already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime
from operator import add
from typing import Any, Protocol, Self


@dataclass
class Columns:
    """Lists of equal length, one a column; a subclass names them."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def append(self, **values: object) -> None:
        """Add one row; a column that is not named gets None."""
        for column in fields(self):
            getattr(self, column.name).append(values.get(column.name))

    def take(self, rows: Sequence[int]) -> Self:
        """The given rows, in that order."""
        return type(self)(
            **{f.name: [values[row] for row in rows] for f in fields(self) for values in (getattr(self, f.name),)}
        )


@dataclass
class PromptColumns(Columns):
    """Prompts as they are met, each at most once a batch; what is None may stand in another batch or the store."""

    prompt_id: list[str] = field(default_factory=list)
    text: list[str | None] = field(default_factory=list)
    dataset: list[str | None] = field(default_factory=list)
    reference: list[str | None] = field(default_factory=list)
    metadata: list[Mapping[str, Any] | None] = field(default_factory=list)


@dataclass
class RunColumns(Columns):
    """Runs, a row each; `params` is canonical JSON (sorted keys, no spaces), `{}` where there are none."""

    run_id: list[str] = field(default_factory=list)
    prompt_id: list[str] = field(default_factory=list)
    generator: list[str] = field(default_factory=list)
    verifier: list[str | None] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    selection: list[str | None] = field(default_factory=list)
    breadth: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    params: list[str] = field(default_factory=list)
    answer: list[str | None] = field(default_factory=list)
    correct: list[float | None] = field(default_factory=list)
    prompt_tokens: list[int | None] = field(default_factory=list)
    completion_tokens: list[int | None] = field(default_factory=list)
    verifier_calls: list[int | None] = field(default_factory=list)
    verifier_tokens: list[int | None] = field(default_factory=list)
    usd: list[float | None] = field(default_factory=list)
    latency_seconds: list[float | None] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    recommendation_id: list[str | None] = field(default_factory=list)
    propensity: list[float | None] = field(default_factory=list)
    started_at: list[datetime | None] = field(default_factory=list)


@dataclass
class SampleColumns(Columns):
    """Samples, a row each; `run` counts the runs of the same batch. `generator`, `verifier`: None means the run's."""

    run: list[int] = field(default_factory=list)
    chain: list[int] = field(default_factory=list)
    attempt: list[int] = field(default_factory=list)
    answer: list[str | None] = field(default_factory=list)
    correct: list[float | None] = field(default_factory=list)
    score: list[float | None] = field(default_factory=list)
    score_min: list[float | None] = field(default_factory=list)
    step_scores: list[tuple[float, ...] | None] = field(default_factory=list)
    prompt_tokens: list[int | None] = field(default_factory=list)
    completion_tokens: list[int | None] = field(default_factory=list)
    verifier_tokens: list[int | None] = field(default_factory=list)
    latency_seconds: list[float | None] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    text: list[str | None] = field(default_factory=list)
    generator: list[str | None] = field(default_factory=list)
    verifier: list[str | None] = field(default_factory=list)
    stage: list[int | None] = field(default_factory=list)


@dataclass
class Batch:
    """Complete runs with their prompts and samples."""

    prompts: PromptColumns = field(default_factory=PromptColumns)
    runs: RunColumns = field(default_factory=RunColumns)
    samples: SampleColumns = field(default_factory=SampleColumns)


@dataclass(frozen=True)
class KnownPrompt:
    """What a store knows of a prompt; `text_sha256` (hex) is kept even where texts are not stored."""

    text_sha256: str | None
    reference: str | None


@dataclass(frozen=True)
class KnownRun:
    """What a store knows of a run."""

    prompt_id: str
    generator: str


@dataclass(frozen=True)
class ScoreScale:
    """How a verifier's scores are brought into 0..1: sigmoid(slope * score + intercept)."""

    slope: float
    intercept: float
    fitted_on: str  # "grades" or "scores"


@dataclass(frozen=True)
class Written:
    """What one batch changed: new runs and samples, runs that were there already, grades filled into them.

    `prompts`: of earlier imports, that got a text, data set, reference or metadata which they lacked.
    """

    runs: int = 0
    samples: int = 0
    duplicates: int = 0
    grades: int = 0
    prompts: int = 0

    def __add__(self, other: Written) -> Written:
        """What two batches changed."""
        return Written(*map(add, astuple(self), astuple(other)))


class ImportSink(Protocol):
    """One open import, one transaction: leaving its `with` block by an exception leaves the store as it was."""

    @property
    def import_id(self) -> int | str:
        """Name under which the import can be undone."""

    def known_prompts(self, prompt_ids: Sequence[str]) -> Mapping[str, KnownPrompt]:
        """Those of the prompts that the store (this import included) knows."""

    def known_runs(self, run_ids: Sequence[str]) -> Mapping[str, KnownRun]:
        """Those of the runs that the store (this import included) knows."""

    def score_scales(self) -> Mapping[str, ScoreScale]:
        """Scales remembered from earlier imports, by verifier."""

    def write(self, batch: Batch) -> Written:
        """Add what is new; a run that is known only gets grades (its own and its samples') where it had none."""

    def warnings(self, *, answers_as_logged: bool) -> Sequence[str]:
        """What was given otherwise than it is stored, and so left out, with what to do about it.

        `answers_as_logged`: they were not read anew, so that other answers of a known run are other samples.
        """

    def grown(self) -> Sequence[str]:
        """Where runs without an id of their own hold samples that were stored before, with what to do about it."""

    def finish(self, *, warnings: Sequence[str], score_scales: Mapping[str, ScoreScale]) -> None:
        """Keep what is to be remembered of this import; an import that wrote nothing leaves no record."""
