"""From runs as objects to runs as columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from planner.core import Run
from planner.core.batch import Batch


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


def run_id_of(run: Run) -> str:
    """Id of a run: its own, else a hash of all that it says."""
    return run.run_id or hashlib.sha256(run.model_dump_json(exclude={"run_id"}).encode()).hexdigest()[:32]


def as_batch(runs: Sequence[Run]) -> Batch:
    """Columns of `runs`; without run_id a content hash stands in, without prompt_id the hash of the prompt."""
    batch = Batch()
    seen: set[tuple[str, str | None]] = set()
    for place, run in enumerate(runs):
        prompt_id = run.prompt_id or text_hash(run.prompt or "")
        if (prompt_id, run.prompt) not in seen:
            seen.add((prompt_id, run.prompt))
            batch.prompts.append(
                prompt_id=prompt_id,
                text=run.prompt,
                dataset=run.dataset,
                reference=run.reference,
                metadata=run.metadata or None,
            )
        values = dict(run) | {"prompt_id": prompt_id, "run_id": run_id_of(run)}
        batch.runs.append(**values | {"params": canonical_json(run.params)})
        for sample in run.samples:
            batch.samples.append(run=place, **dict(sample))
    return batch
