"""Runs whose process was killed: what they spent is in the journal, and logged by whoever comes next."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from carrying import job, logged
from scripted_endpoint import CARDS, Scripted

from planner.execution.run_log import RunLog, journal_folder, recover
from planner.execution.runner import Runner
from planner.store.rows import text_hash
from planner.texts.kept import HashedText
from planner.texts.sketch import sketch

KILLED = textwrap.dedent("""
    import asyncio, os, signal, sys
    sys.path.insert(0, {folder!r})
    from carrying import job
    from scripted_endpoint import CARDS, Scripted, plain
    from planner.core import Arm
    from planner.execution.run_log import RunLog
    from planner.execution.runner import Runner
    from planner.store import Store

    def reply(request, number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(request, number)

    store = Store.open({url!r})
    log = RunLog(store, store_texts={texts!r})
    arm = Arm(generator="small", selection="last", depth=50)
    asyncio.run(Runner(Scripted(reply), log, CARDS).run(job(arm)))
""")


def kill_in_the_middle(store, *, texts: bool) -> None:
    script = KILLED.format(folder=str(Path(__file__).parent), url=str(store.database.url), texts=texts)
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.parametrize("texts", [True, False])
def test_what_a_killed_process_spent_is_logged_by_the_next(store, texts):
    kill_in_the_middle(store, texts=texts)
    assert logged(store) == []
    journals = list(journal_folder(store).glob("*.jsonl"))
    assert len(journals) == 1
    assert (b"How many?" in journals[0].read_bytes()) == texts
    assert recover(store, store_texts=texts) == 1
    (run,) = logged(store)
    assert (run.status, run.search, run.completion_tokens, run.prompt_id) == ("error", "session", 30, "p1")
    assert run.prompt == ("How many?" if texts else None)
    kept = "How many?" if texts else HashedText(text_hash("How many?"), sketch("How many?"))
    assert store.read_logs().prompts.texts == (kept,)
    assert run.params["interrupted"] == "its process ended"
    assert list(journal_folder(store).glob("*.jsonl")) == []
    assert recover(store) == 0


def test_a_journal_of_a_process_that_lives_is_left_alone(store):
    async def run():
        log = RunLog(store)
        work = asyncio.create_task(Runner(Scripted(seconds=0.05), log, CARDS).run(job()))
        await asyncio.sleep(0.02)
        assert recover(store) == 0
        await work
        await log.close()

    asyncio.run(run())
    assert len(logged(store)) == 1


def test_a_line_that_was_being_written_is_passed_over(store):
    kill_in_the_middle(store, texts=True)
    (path,) = journal_folder(store).glob("*.jsonl")
    lines = path.read_bytes()
    path.write_bytes(lines + b"\n" + json.dumps({"id": "x", "spent": {}}).encode()[:9])
    assert recover(store) == 1
    assert logged(store)[0].completion_tokens == 30


def test_the_journal_is_only_the_users_to_read(store):
    log = RunLog(store)
    log.begin(job_line())
    (path,) = journal_folder(store).glob("*.jsonl")
    assert path.stat().st_mode & 0o077 == 0
    asyncio.run(log.close())


def job_line():
    from planner.core import Run

    return Run(run_id="x", prompt_id="p", prompt="How many?", generator="small", status="error")
