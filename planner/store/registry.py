"""Keys of prompts, models and arms: looked up once, made as they are met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from planner.core.batch import KnownPrompt, PromptColumns
from planner.errors import BadLog
from planner.store.bulk import insert_columns, select_in
from planner.store.conflicts import Conflicts
from planner.store.rows import ArmRow, canonical_json, text_hash
from planner.store.tables import arms, models, prompts, runs
from planner.texts.sketch import is_current, sketch


class _Stored(NamedTuple):
    """`has_text`: as 0 or 1. `sketch`: its first bytes are enough, which say the version."""

    key: int
    text_sha256: str
    has_text: int
    sketch: bytes | None
    dataset: str | None
    reference: str | None
    metadata: str | None

    @property
    def details(self) -> tuple[str | None, ...]:
        return self.dataset, self.reference, self.metadata


class Registry:
    """Keys given out within one transaction that writes alone; `first_run` is free for runs from there on."""

    def __init__(
        self, connection: Connection, import_key: int, conflicts: Conflicts, *, store_prompt_text: bool
    ) -> None:
        self._connection = connection
        self._conflicts = conflicts
        self._import_key = import_key
        self._store_prompt_text = store_prompt_text
        self._prompts: dict[str, _Stored] = {}
        self._arms: dict[ArmRow, int] = {}
        named = connection.execute(select(models.c.name, models.c.model_key))
        self._models: dict[str, int] = {row.name: row.model_key for row in named}
        self._next_model = 1 + max(self._models.values(), default=0)
        self._next_prompt, self._next_arm, self.first_run = next_keys(
            connection, prompts.c.prompt_key, arms.c.arm_key, runs.c.run_key
        )
        self._first_prompt = self._next_prompt

    def known_prompts(self, prompt_ids: Sequence[str]) -> dict[str, KnownPrompt]:
        """What is known of those prompts that are."""
        self._look_up(prompt_ids)
        known = ((prompt_id, self._prompts.get(prompt_id)) for prompt_id in prompt_ids)
        return {i: KnownPrompt(row.text_sha256, row.reference) for i, row in known if row is not None}

    def add_prompts(self, columns: PromptColumns) -> int:
        """Store new prompts, fill what was null in known ones; give how many of earlier imports were filled.

        Raises BadLog for a text that is missing, differs or cannot be stored.
        """
        self._look_up(columns.prompt_id)
        fresh: list[tuple[Any, ...]] = []
        n_filled = 0
        rows = zip(
            columns.prompt_id,
            columns.text,
            columns.dataset,
            columns.reference,
            columns.metadata,
            strict=True,
        )
        for prompt_id, text, dataset, reference, metadata in rows:
            stored = self._prompts.get(prompt_id)
            digest = _checked_hash(prompt_id, text, stored)
            details = (dataset, reference, canonical_json(dict(metadata)) if metadata else None)
            if stored is not None:
                is_filled = self._fill(prompt_id, stored, details) | self._fill_text(prompt_id, text)
                n_filled += is_filled and stored.key < self._first_prompt
                continue
            kept, own_sketch = self._kept(text or "")
            self._prompts[prompt_id] = _Stored(self._next_prompt, digest, kept is not None, own_sketch, *details)
            about = (self._next_prompt, prompt_id, digest, len(text or ""), kept, own_sketch)
            fresh.append((*about, *details, self._import_key))
            self._next_prompt += 1
        insert_columns(
            self._connection, prompts, dict(zip(_PROMPT_FIELDS, zip(*fresh, strict=True), strict=False)), len(fresh)
        )
        return n_filled

    def prompt_keys(self, prompt_ids: Sequence[str]) -> list[int]:
        """Key of each prompt. Raises BadLog for one that is not known."""
        self._look_up(prompt_ids)
        try:
            return [self._prompts[prompt_id].key for prompt_id in prompt_ids]
        except KeyError as error:
            raise _unknown_text(error.args[0]) from error

    def model_keys(self, names: Iterable[str | None], kind: str) -> list[int | None]:
        """Keys of a column of names; null stays null."""
        return [None if name is None else self._model_key(name, kind) for name in names]

    def arm_keys(self, rows: Sequence[ArmRow]) -> list[int]:
        """Key of each arm; new ones are stored."""
        unknown = {row: canonical_json(row._asdict()) for row in set(rows) if row not in self._arms}
        if unknown:
            texts = list(unknown.values())
            found: Mapping[str, int] = dict(
                select_in(self._connection, "canonical, arm_key", "arms", "canonical", texts)
            )
            for row, text in sorted(unknown.items(), key=lambda item: item[1]):
                self._arms[row] = found[text] if text in found else self._new_arm(row, text)
        return [self._arms[row] for row in rows]

    def _new_arm(self, row: ArmRow, canonical: str) -> int:
        key = self._next_arm
        self._next_arm += 1
        values = row._asdict() | {
            "arm_key": key,
            "canonical": canonical,
            "generator_key": self._model_key(row.generator, "generator"),
            "verifier_key": None if row.verifier is None else self._model_key(row.verifier, "orm"),
        }
        del values["generator"], values["verifier"]
        self._connection.execute(insert(arms), values)
        return key

    def _model_key(self, name: str, kind: str) -> int:
        key = self._models.get(name)
        if key is None:
            key = self._models[name] = self._next_model
            self._next_model += 1
            row = {"model_key": key, "name": name, "kind": kind, "has_card": 0}
            self._connection.execute(insert(models), row)
        return key

    def _look_up(self, ids: Sequence[str]) -> None:
        unknown = list({prompt_id for prompt_id in ids if prompt_id not in self._prompts})
        if unknown:
            columns = (
                "prompt_id, prompt_key, text_sha256, CASE WHEN text IS NULL THEN 0 ELSE 1 END, substr(sketch, 1, 1), "
                "dataset, reference, metadata"
            )
            for prompt_id, *values in select_in(self._connection, columns, "prompts", "prompt_id", unknown):
                self._prompts[prompt_id] = _Stored(*values)

    def _kept(self, text: str) -> tuple[str | None, bytes | None]:
        """What is stored of a text: itself, or its sketch."""
        return (text, None) if self._store_prompt_text else (None, sketch(text))

    def _fill_text(self, prompt_id: str, text: str | None) -> bool:
        """Keep the text, or a sketch of our version, where a known prompt has neither."""
        stored = self._prompts[prompt_id]
        if text is None or stored.has_text:
            return False
        if not self._store_prompt_text and stored.sketch is not None and is_current(stored.sketch):
            return False
        kept, own_sketch = self._kept(text)
        values = {"text": kept, "sketch": own_sketch}
        self._connection.execute(update(prompts).where(prompts.c.prompt_key == stored.key).values(**values))
        self._prompts[prompt_id] = stored._replace(has_text=kept is not None, sketch=own_sketch)
        return True

    def _fill(self, prompt_id: str, stored: _Stored, details: tuple[str | None, ...]) -> bool:
        """Keep details that a known prompt lacks, note those that differ."""
        for name, old, new in zip(("dataset", "reference"), stored.details, details, strict=False):
            if old is not None and new is not None and old != new:
                self._conflicts.note_detail(name, stored.key, prompt_id, old, new)
        filled = tuple(new if old is None else old for old, new in zip(stored.details, details, strict=True))
        if filled == stored.details:
            return False
        dataset, reference, metadata = filled
        values = {"dataset": dataset, "reference": reference, "metadata": metadata}
        self._connection.execute(update(prompts).where(prompts.c.prompt_key == stored.key).values(**values))
        self._prompts[prompt_id] = stored._replace(dataset=dataset, reference=reference, metadata=metadata)
        return True


_PROMPT_FIELDS = (
    "prompt_key", "prompt_id", "text_sha256", "n_characters", "text", "sketch", "dataset", "reference", "metadata",
    "import_key",
)  # fmt: skip


def add_hashed_prompt(
    connection: Connection, prompt_id: str, *, text_sha256: str, n_characters: int, own_sketch: bytes | None
) -> str:
    """Store a prompt whose text may not be kept, unless it is known; it belongs to no import.

    Gives the id that it is known by: the hash, where `prompt_id` stands for another text.
    """
    for name in (prompt_id, text_sha256):
        known = connection.execute(select(prompts.c.text_sha256).where(prompts.c.prompt_id == name)).scalar()
        if known is None:
            about = {"text_sha256": text_sha256, "n_characters": n_characters, "sketch": own_sketch}
            key = next_key(connection, prompts.c.prompt_key)
            connection.execute(insert(prompts), {"prompt_key": key, "prompt_id": name, **about})
        if known in (None, text_sha256):
            return name
    raise BadLog(f"prompt: prompt_id {text_sha256!r}, the hash of a text, stands for another text")


def next_key(connection: Connection, column: Any) -> int:  # noqa: ANN401 - a column of any table
    """One past the greatest key; only for transactions that write alone."""
    return next_keys(connection, column)[0]


def next_keys(connection: Connection, *columns: Any) -> list[int]:  # noqa: ANN401
    """One past the greatest key of each column, asked for at once: a server may be far away."""
    greatest = connection.execute(select(*(select(func.max(column)).scalar_subquery() for column in columns))).one()
    return [1 + (key or 0) for key in greatest]


def _checked_hash(prompt_id: str, text: str | None, stored: _Stored | None) -> str:
    if text is None:
        if stored is None:
            raise _unknown_text(prompt_id)
        return stored.text_sha256
    if "\0" in text:
        raise BadLog(f"prompt: the text of prompt_id {prompt_id!r} holds a NUL character: remove it")
    try:
        digest = text_hash(text)
    except UnicodeEncodeError as error:
        raise BadLog(f"prompt: the text of prompt_id {prompt_id!r} is no valid UTF-8: {error}") from error
    if stored is not None and stored.text_sha256 != digest:
        raise BadLog(f"prompt: prompt_id {prompt_id!r} was met with another text: give each text an id of its own")
    return digest


def _unknown_text(prompt_id: str) -> BadLog:
    return BadLog(
        f"prompt: the text of prompt_id {prompt_id!r} is not known yet: give it where the prompt is met first"
    )
