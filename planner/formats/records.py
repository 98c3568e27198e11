"""From one record (a line of JSON Lines, a row of a table of runs) to columns, every field checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planner.core.batch import Batch, SampleColumns
from planner.formats import values
from planner.formats.places import Place, check_places, shape
from planner.formats.values import Check, Wrong

_PROMPT_FIELDS: dict[str, Check] = {
    "prompt_id": values.name,
    "prompt": values.text,
    "dataset": values.name,
    "reference": values.reference,
    "metadata": values.mapping,
}
_RUN_FIELDS: dict[str, Check] = {
    "run_id": values.name,
    "generator": values.required_name,
    "verifier": values.name,
    "search": values.search,
    "selection": values.selection,
    "breadth": values.from_one,
    "depth": values.from_one,
    "params": values.mapping,
    "answer": values.text,
    "correct": values.share,
    "prompt_tokens": values.whole,
    "completion_tokens": values.whole,
    "verifier_calls": values.whole,
    "verifier_tokens": values.whole,
    "usd": values.amount,
    "latency_seconds": values.amount,
    "status": values.status,
    "recommendation_id": values.name,
    "propensity": values.propensity,
    "started_at": values.moment,
}
_SAMPLE_FIELDS: dict[str, Check] = {
    "chain": values.index,
    "attempt": values.index,
    "answer": values.text,
    "correct": values.share,
    "score": values.score,
    "score_min": values.score,
    "step_scores": values.steps,
    "prompt_tokens": values.whole,
    "completion_tokens": values.whole,
    "verifier_tokens": values.whole,
    "latency_seconds": values.amount,
    "status": values.status,
    "text": values.text,
    "generator": values.name,
    "verifier": values.name,
    "stage": values.whole,
}
RECORD_FIELDS = (*_PROMPT_FIELDS, *_RUN_FIELDS, "samples")
_RUN_DEFAULTS: dict[str, Any] = {"breadth": 1, "depth": 1, "search": "sampling", "status": "ok"}
_NOT_IN_THE_HASH = ("run_id", "correct", "prompt", "reference", "metadata", "dataset")


@dataclass
class Read:
    """Runs as they were read: a batch, and for each of its runs its line and whether it bears its prompt's text."""

    batch: Batch = field(default_factory=Batch)
    run_lines: list[int] = field(default_factory=list)
    has_text: list[bool] = field(default_factory=list)
    raw: Callable[[int], object] = lambda _run: None
    """What stands in the file of a run, for the file of rejected lines."""
    n_equal: int = 0
    """Records without run_id that equal an earlier one, and so are one run with it."""
    n_unplaced: int = 0
    """Bad lines left out that may belong to any of the runs without run_id."""
    left_out: tuple[str, ...] = ()
    """Columns of a table that are no field."""
    done: float = 0.0
    """Share of the file that has been read."""

    def without(self, runs: Collection[int]) -> Read:
        """The same but for these runs, which are counted as in the batch; their prompts stay."""
        kept = [run for run in range(len(self.batch.runs)) if run not in runs]
        return replace(
            self,
            batch=Batch(self.batch.prompts, self.batch.runs.take(kept), _samples_of(self.batch, kept)),
            run_lines=[self.run_lines[run] for run in kept],
            has_text=[self.has_text[run] for run in kept],
            raw=lambda run: self.raw(kept[run]),
        )


@dataclass
class RecordReader:
    """Gathers records of one file into batches."""

    read: Read = field(default_factory=Read)
    _raw: list[object] = field(default_factory=list)
    _prompts: dict[str, tuple[int, int]] = field(default_factory=dict)  # row and line
    _hashes: set[str] = field(default_factory=set)

    def add(self, record: Mapping[str, Any], line: int, raw: object = None) -> None:
        """Check one record and add it; `raw` is what stands there. Raises Wrong, and then nothing was added."""
        for name in record:
            if name not in RECORD_FIELDS:
                raise Wrong(name, "is no field of a run", f"one of {', '.join(RECORD_FIELDS)}")
        prompt = {name: check(name, record.get(name)) for name, check in _PROMPT_FIELDS.items()}
        run = {name: check(name, record[name]) for name, check in _RUN_FIELDS.items() if record.get(name) is not None}
        if "generator" not in run:
            raise Wrong("generator", "is missing")
        samples = _samples(record.get("samples"))
        prompt["prompt_id"] = prompt["prompt_id"] or _text_id(prompt["prompt"])
        run = (
            _RUN_DEFAULTS
            | shape(run.get("search", "sampling"), [_place(one) for one in samples])
            | run
            | {"prompt_id": prompt["prompt_id"], "params": canonical(run.get("params") or {})}
        )
        if "run_id" not in run:
            run["run_id"] = self._content_hash(run, samples)
        self._add_prompt(prompt, line)
        place = len(self.read.batch.runs)
        self.read.batch.runs.append(**run)
        self.read.run_lines.append(line)
        self.read.has_text.append(record.get("prompt") is not None)
        self._raw.append(raw)
        for sample in samples:
            self.read.batch.samples.append(run=place, **sample)

    def take(self, *, done: float) -> Read:
        """What was gathered since the last call; `done` is the share of the file that has been read."""
        read, self.read = self.read, Read()
        read.done, read.raw = done, self._raw.__getitem__
        self._raw = []
        self._prompts.clear()
        return read

    def _add_prompt(self, prompt: dict[str, Any], line: int) -> None:
        columns, prompt_id = self.read.batch.prompts, prompt["prompt_id"]
        prompt["text"] = prompt.pop("prompt")
        if prompt_id not in self._prompts:
            self._prompts[prompt_id] = len(columns), line
            columns.append(**prompt)
            return
        row, first_line = self._prompts[prompt_id]
        known = columns.text[row]
        if known is not None and prompt["text"] is not None and known != prompt["text"]:
            raise two_texts(prompt_id, f"line {first_line}")
        for name in ("text", "dataset", "reference", "metadata"):
            column = getattr(columns, name)
            if column[row] is None:
                column[row] = prompt[name]

    def _content_hash(self, run: Mapping[str, Any], samples: list[dict[str, Any]]) -> str:
        content = {name: value for name, value in run.items() if name not in _NOT_IN_THE_HASH}
        content["samples"] = [{k: v for k, v in sample.items() if k != "correct"} for sample in samples]
        digest = hashlib.sha256(canonical(content).encode("utf-8", "surrogatepass")).hexdigest()
        self.read.n_equal += digest in self._hashes
        self._hashes.add(digest)
        return digest


def canonical(value: object) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def two_texts(prompt_id: str, place: str) -> Wrong:
    """One prompt_id stands for two texts."""
    return Wrong(
        "prompt",
        f"prompt_id {prompt_id!r} stands for another text ({place})",
        "one text for one prompt_id: give each text an id of its own, or leave the id out",
    )


def text_hash(text: str) -> str:
    """SHA-256 of a prompt's text: its id where it bears none."""
    return hashlib.sha256(text.encode()).hexdigest()


def _samples_of(batch: Batch, runs: list[int]) -> SampleColumns:
    place = {run: new for new, run in enumerate(runs)}
    rows = [row for row, run in enumerate(batch.samples.run) if run in place]
    samples = batch.samples.take(rows)
    samples.run = [place[run] for run in samples.run]
    return samples


def _text_id(text: str | None) -> str:
    if text is None:
        raise Wrong("prompt", "neither prompt nor prompt_id stands here", "the prompt's text, or an id that is known")
    return text_hash(text)


def _place(sample: Mapping[str, Any]) -> Place:
    return Place(sample["chain"], sample["attempt"], sample.get("stage"))


def _samples(given: object) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise Wrong("samples", "is no array")
    samples = []
    for place, one in enumerate(given):
        where = f"samples[{place}]"
        if not isinstance(one, Mapping):
            raise Wrong(where, "is no object", 'an object such as {"chain": 0, "answer": "7"}')
        sample: dict[str, Any] = {"chain": 0, "attempt": 0, "status": "ok"}
        if "chain" not in one and "attempt" not in one:
            sample["chain"] = place
        for name, value in one.items():
            check = _SAMPLE_FIELDS.get(name)
            if check is None:
                raise Wrong(f"{where}.{name}", "is no field of a sample", f"one of {', '.join(_SAMPLE_FIELDS)}")
            sample[name] = check(f"{where}.{name}", value)
        samples.append(sample)
    check_places([_place(one) for one in samples])
    return samples
