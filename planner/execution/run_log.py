"""Where runs are written to: the journal as they spend, the store in groups when they are over."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from planner.core import Cost, Run
from planner.errors import BadLog, EndpointError, StoreError
from planner.execution.journal import Journal, PromptHash, left_behind
from planner.store import Store
from planner.strategies.drawing import storable

LOGGER = logging.getLogger("planner.execution")

DELAY_SECONDS, AGAIN_SECONDS = 0.5, 1.0
"""How long a run that is over may wait for others to be written with, and for a store that was away."""
MOST_WAITING = 200


def journal_folder(store: Store) -> Path:
    """Beside a SQLite file; for a database server in the user's data folder."""
    path = store.database.path
    if path is not None:
        return path.with_name(f"{path.name}-runs")
    from platformdirs import user_data_path  # noqa: PLC0415 - only with a database server

    place = store.database.url.render_as_string(hide_password=True)
    return user_data_path("planner") / "runs" / hashlib.sha256(place.encode()).hexdigest()[:16]


def recover(store: Store, *, store_texts: bool = True) -> int:
    """Log what processes that are no more had spent, as runs of status `error`; give how many runs."""
    folder = journal_folder(store)
    if not folder.is_dir():
        return 0
    with left_behind(folder) as found:
        runs = [one.run if one.hashed is None else _placed(store, _cleaned(one.run), one.hashed) for one in found]
        if runs:
            _append(store, runs, source="recovered", import_id=None, store_texts=store_texts)
    return len(runs)


@dataclass
class RunLog:
    """Writes the runs of one process, at most a second late. Used by the tasks of one event loop.

    store_texts: whether texts of prompts and answers are kept. import_id: of the one import that they are logged as.
    """

    store: Store
    store_texts: bool = True
    source: str = "run"
    import_id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}")
    _journal: Journal | None = None
    _waiting: list[Run] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def journal(self) -> Journal:
        """The journal of this process."""
        self._journal = self._journal or Journal(journal_folder(self.store))
        return self._journal

    def begin(self, run: Run) -> None:
        """A run begins; `run` is how it will be logged if nothing more is heard of it."""
        if self.store_texts or run.prompt is None:
            self.journal.begin(run)
            return
        self.journal.begin(run.model_copy(update={"prompt": None}), PromptHash.of(run.prompt))

    def spend(self, run_id: str, cost: Cost, verifier_calls: int) -> None:
        """All that a run has spent so far."""
        self.journal.spend(run_id, run_costs(cost, verifier_calls))

    def add(self, run: Run) -> None:
        """A run is over: it is written soon, with others."""
        if not self.store_texts:
            bare = tuple(sample.model_copy(update={"text": None}) for sample in run.samples)
            run = run.model_copy(update={"samples": bare})
        self._waiting.append(run)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_later())

    def forget(self, run_id: str) -> None:
        """A run that spent nothing is not logged."""
        self.journal.end([run_id])

    def reason(self, words: str, failure: EndpointError | None) -> str:
        """Why a run ended before its plan did, as it is logged. failure: the endpoint's error, where that is why.

        Where no texts are kept it is the error's name: servers say in their refusals what they were asked.
        """
        return words if self.store_texts or failure is None else type(failure).__name__

    async def flush(self) -> None:
        """Wait until every run that is over is in the store; raises StoreError where one could not be written."""
        task, self._task = self._task, None
        if task is not None:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # what it could not write is tried again now
        await self._write()

    async def close(self) -> None:
        """Write all, and let go of the journal; what could not be written stays there for the next process."""
        try:
            await self.flush()
        finally:
            if self._journal is not None:
                self._journal.close(given_up=bool(self._waiting))

    async def _write_later(self) -> None:
        delay = DELAY_SECONDS if len(self._waiting) < MOST_WAITING else 0.0
        while self._waiting:  # runs that were over while others were being written had to wait for them
            await asyncio.sleep(delay)
            delay = DELAY_SECONDS
            try:
                await asyncio.shield(self._write())
            except StoreError as error:
                LOGGER.warning("%d run(s) wait for the store: %s", len(self._waiting), error)
                delay = AGAIN_SECONDS

    async def _write(self) -> None:
        async with self._writing:
            runs, self._waiting = self._waiting, []
            if not runs:
                return
            try:
                await asyncio.to_thread(
                    _append, self.store, runs, source=self.source, import_id=self.import_id,
                    store_texts=self.store_texts,
                )  # fmt: skip
            except BaseException:
                self._waiting = runs + self._waiting
                raise
            self.journal.end([run.run_id for run in runs if run.run_id is not None])


def run_costs(cost: Cost, verifier_calls: int) -> dict[str, Any]:
    """What was spent, in columns of a `Run`."""
    return {
        "prompt_tokens": _whole(cost.prompt_tokens),
        "completion_tokens": _whole(cost.completion_tokens),
        "verifier_calls": verifier_calls,
        "verifier_tokens": _whole(cost.verifier_tokens),
        "usd": cost.usd,
        "latency_seconds": cost.latency_seconds,
    }


def _append(store: Store, runs: Sequence[Run], *, source: str, import_id: str | None, store_texts: bool) -> None:
    """Append all, or where one is refused each by itself: a run that was paid for is never lost."""
    append = partial(store.append, source=source, store_prompt_text=store_texts, import_id=import_id)
    try:
        append(runs)
    except BadLog:
        for run in runs:
            _append_one(run, append)


def _append_one(run: Run, append: Callable[[Sequence[Run]], object]) -> None:
    try:
        append([run])
    except BadLog as refused:
        for form in (run, _cleaned(run)):
            with suppress(BadLog):
                append([_renamed(form, None)])
                return
        # It must not keep all others from being stored.
        LOGGER.warning("run %s, which spent %s, cannot be stored: %s", run.run_id, _spent(run), refused)


def _cleaned(run: Run) -> Run:
    """The run with texts that any store can hold."""

    def clean(value: Any) -> Any:  # noqa: ANN401 - of JSON
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, dict):
            return {storable(str(name)): clean(own) for name, own in value.items()}
        return [clean(own) for own in value] if isinstance(value, list | tuple) else value

    return Run.model_validate(clean(run.model_dump()))


def _spent(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run_costs(Cost(), 0)}


def _placed(store: Store, run: Run, hashed: PromptHash) -> Run:
    """The run by an id under which the store knows its text's hash."""
    prompt_id = store.add_hashed_prompt(
        run.prompt_id or hashed.sha256,
        text_sha256=hashed.sha256,
        n_characters=hashed.n_characters,
        sketch=None if hashed.sketch is None else bytes.fromhex(hashed.sketch),
    )
    if run.prompt_id in (None, prompt_id):
        return run.model_copy(update={"prompt_id": prompt_id})
    return _renamed(run, prompt_id)


def _renamed(run: Run, prompt_id: str | None) -> Run:
    """Where its prompt_id stands for another text: the text's own hash (None) is an id that no other text has."""
    return run.model_copy(update={"prompt_id": prompt_id, "metadata": {**run.metadata, "prompt_id": run.prompt_id}})


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
