"""A fingerprint of what a fit read: equal logs, equal fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields

from planner.curves.logs import Logs, RunTable, SampleTable
from planner.texts.kept import HashedText


def fingerprint(logs: Logs) -> str:
    """SHA-256 (hex) over every column, prompt, arm, pool and model card of `logs`."""
    digest = hashlib.sha256()
    for table in (logs.samples, logs.runs, logs.candidates):
        _add_table(digest, table)
    prompts = logs.prompts
    for row in zip(prompts.ids, prompts.texts, prompts.datasets, prompts.metadata, strict=True):
        _add(digest, row)
    for pool in logs.pools:
        _add(digest, (pool.generator, pool.verifier, pool.params))
    for arm in logs.arms:
        _add(digest, arm.key)
    for name in sorted(logs.models):
        _add(digest, logs.models[name].model_dump(mode="json"))
    return digest.hexdigest()


def _add_table(digest: hashlib._Hash, table: SampleTable | RunTable) -> None:
    for field in fields(table):
        column = getattr(table, field.name)
        _add(digest, (field.name, str(column.dtype), len(column)))
        digest.update(column.tobytes())


def _add(digest: hashlib._Hash, value: object) -> None:
    text = json.dumps(value, default=_plain, sort_keys=True)
    digest.update(text.encode("utf-8", "surrogatepass") + b"\0")


def _plain(value: object) -> object:
    if isinstance(value, HashedText):
        return [value.sha256, None if value.sketch is None else value.sketch.hex()]
    assert isinstance(value, Mapping)
    return dict(value)
