"""The log of runs: each is in the store within about a second, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from planner.core import Run
from planner.errors import StoreError
from planner.execution import run_log
from planner.execution.journal import Journal, PromptHash
from planner.execution.run_log import RunLog, journal_folder, recover
from planner.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'planner.db'}") as opened:
        yield opened


@pytest.fixture
def append(monkeypatch):
    """Sets what happens before runs are written, at the first attempt."""

    def first(happens):
        acts, written = [happens], run_log._append

        def late(*args, **options):
            for act in acts[:]:
                acts.remove(act)
                act()
            written(*args, **options)

        monkeypatch.setattr(run_log, "_append", late)

    return first


def run(name: str) -> Run:
    return Run(run_id=name, prompt_id="p", prompt="How many?", generator="small", search="sampling", status="ok")


def begun(log: RunLog, name: str) -> None:
    log.begin(run(name))
    log.add(run(name))


def stored(store: Store) -> set[str | None]:
    return {one.run_id for one in store.stream_runs()}


async def soon(store: Store, names: set[str]) -> bool:
    """Whether these are stored without anything more being done."""
    for _ in range(100):
        if stored(store) == names:
            return True
        await asyncio.sleep(0.1)
    return False


def test_a_run_that_is_over_while_others_are_written_is_written_too(store, append):
    append(lambda: time.sleep(0.4))

    async def two():
        log = RunLog(store)
        begun(log, "first")
        await asyncio.sleep(run_log.DELAY_SECONDS + 0.2)
        begun(log, "second")
        found = await soon(store, {"first", "second"})
        await log.close()
        return found

    assert asyncio.run(two())


def test_runs_are_written_when_a_store_that_was_away_is_back(store, append, monkeypatch, caplog):
    monkeypatch.setattr(run_log, "AGAIN_SECONDS", 0.05)

    def away() -> None:
        raise StoreError("the database is away")

    append(away)

    async def one():
        log = RunLog(store)
        begun(log, "first")
        found = await soon(store, {"first"})
        await log.close()
        return found

    assert asyncio.run(one())
    assert "1 run(s) wait for the store: the database is away" in caplog.text


def test_who_waits_for_the_log_hears_that_the_store_is_away(store, append):
    def away() -> None:
        raise StoreError("the database is away")

    append(away)

    async def one():
        log = RunLog(store)
        begun(log, "first")
        with pytest.raises(StoreError, match="away"):
            await log.flush()
        await log.close()

    asyncio.run(one())
    assert stored(store) == {"first"}


@pytest.mark.parametrize("named", [True, False])
def test_a_run_whose_prompt_id_stands_for_another_text_is_recovered_by_the_texts_hash(store, named):
    prompt_id = "p" if named else None
    store.append([Run(run_id="known", prompt_id="p", prompt="one text", generator="small")])
    journal = Journal(journal_folder(store))
    for name in ("first", "second"):
        run = Run(run_id=name, prompt_id=prompt_id, generator="small", status="error")
        journal.begin(run, PromptHash.of("another text"))
    os.close(journal._file)  # as its process ended
    assert recover(store, store_texts=False) == 2
    runs = {run.run_id: run for run in store.find_runs(["first", "second"])}
    assert {run.prompt_id for run in runs.values()} == {PromptHash.of("another text").sha256}
    assert runs["first"].metadata == ({"prompt_id": "p"} if named else {})
    assert runs["first"].prompt is None
