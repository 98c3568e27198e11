"""The log of runs: each is in the store within about a second, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import time

import pytest

from planner.core import Cost, Run
from planner.errors import StoreError
from planner.execution import run_log
from planner.execution.journal import Journal, PromptHash
from planner.execution.run_log import RunLog, journal_folder, recover
from planner.store import Store


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


def test_a_run_that_no_store_takes_keeps_no_other_from_being_stored(store, caplog):
    odd = run("odd").model_copy(update={"answer": "half \ud800 a pair", "metadata": {"a\ud800": ["b\ud800"]}})
    hopeless = run("hopeless").model_copy(update={"prompt": None, "prompt_id": None})

    async def three():
        log = RunLog(store)
        begun(log, "first")
        log.add(odd)
        log.add(hopeless)
        begun(log, "last")
        await log.close()

    asyncio.run(three())
    assert stored(store) == {"first", "odd", "last"}
    assert "run hopeless, which spent" in caplog.text
    (kept,) = [one for one in store.stream_runs() if one.run_id == "odd"]
    assert kept.answer == "half ? a pair"
    assert kept.metadata["a?"] == ["b?"]


def test_runs_that_are_under_way_when_the_log_is_closed_are_kept_for(store):
    """A task that was cancelled later wrote a journal without its run, at which every later process stopped."""

    async def left():
        log = RunLog(store)
        log.begin(run("slow"))
        await log.close()
        log.spend("slow", Cost(completion_tokens=7), 0)
        (path,) = journal_folder(store).glob("*.jsonl")
        assert b'"completion_tokens": 7' in path.read_bytes()
        log.add(run("slow"))
        assert await soon(store, {"slow"})
        for _ in range(100):  # it is let go of once the store has answered
            if not any(journal_folder(store).glob("*.jsonl")):
                return True
            await asyncio.sleep(0.1)
        return False

    assert asyncio.run(left())


def test_the_journal_keeps_no_text_of_what_is_stored(store):
    async def several():
        log = RunLog(store)
        for place in range(20):
            begun(log, f"r{place}")
        await log.flush()
        (path,) = journal_folder(store).glob("*.jsonl")
        size = path.stat().st_size
        await log.close()
        return size

    assert asyncio.run(several()) == 0


@pytest.mark.parametrize("texts", [True, False])
def test_a_run_that_no_store_takes_as_it_is_keeps_no_other_from_being_recovered(store, texts):
    journal = Journal(journal_folder(store))
    for name, odd in (("good", ""), ("odd", "\ud800")):
        begun = Run(run_id=name, prompt_id=f"p{odd}", prompt=f"text{odd}", generator="small", status="error")
        hashed = None if texts else PromptHash.of(begun.prompt)
        journal.begin(begun if texts else begun.model_copy(update={"prompt": None}), hashed)
    os.close(journal._file)  # as its process ended
    assert recover(store, store_texts=texts) == 2
    assert stored(store) == {"good", "odd"}
    assert recover(store, store_texts=texts) == 0


def test_a_journal_that_cannot_be_read_is_set_aside(store, caplog):
    folder = journal_folder(store)
    folder.mkdir()
    (folder / "1-a.jsonl").write_text('{"run": {"run_id": "x", "breadth": "wide"}, "hashed": null}\n')
    good = run("good").model_dump(mode="json", exclude_defaults=True)
    (folder / "1-b.jsonl").write_text(json.dumps({"run": good, "hashed": None}))
    assert recover(store) == 1
    assert stored(store) == {"good"}
    assert [path.name for path in folder.iterdir()] == ["1-a.unreadable"]
    assert "cannot be read" in caplog.text
    assert recover(store) == 0
