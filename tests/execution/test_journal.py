"""The journal of what runs spend: whatever becomes of the disk and the process, what was written is logged."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

from planner.core import Run
from planner.execution.journal import MOST_BYTES_OVER, Journal, is_under_way, left_behind
from planner.execution.run_log import journal_folder, recover

FULL = """
import os, resource, signal, sys
from pathlib import Path
from planner.core import Run
from planner.errors import StoreError
from planner.execution.journal import Journal

def begin(name):
    run = Run(run_id=name, prompt_id="p", prompt="How many? " * 20, generator="small", status="error")
    journal.begin(run)

def limit(n_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))

journal = Journal(Path(sys.argv[1]))
begin("first")
(path,) = Path(sys.argv[1]).glob("*.jsonl")
limit(path.stat().st_size + 60)
try:
    begin("second")
except StoreError as error:
    print(error)
limit(resource.RLIM_INFINITY)
journal.spend("second", {"completion_tokens": 100})
journal.spend("first", {"completion_tokens": 50})
begin("third")
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
journal.end(["first", "third"])
journal.close()
"""


def fill_the_disk(store, ending):
    script = [sys.executable, "-c", FULL, str(journal_folder(store)), ending]
    return subprocess.run(script, check=False, capture_output=True, text=True, timeout=60)


def test_a_run_that_begins_on_a_full_disk_is_an_error_and_no_other_is_lost(store):
    ended = fill_the_disk(store, "killed")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert "what runs spend cannot be written" in ended.stdout
    assert "check its permissions and the disk" in ended.stdout
    assert recover(store) == 2
    spent = {run.run_id: run.completion_tokens for run in store.stream_runs()}
    assert spent == {"first": 50, "third": None}
    assert recover(store) == 0


def test_a_journal_leaves_no_file_for_a_run_that_could_not_begin(store):
    assert fill_the_disk(store, "closed").returncode == 0
    assert list(journal_folder(store).iterdir()) == []


def test_a_journal_that_is_never_empty_holds_little_but_what_is_under_way(store):
    folder = journal_folder(store)
    with Journal(folder) as journal:
        journal.begin(a_run("first"))
        for n in range(3_000):
            journal.begin(a_run(f"run-{n}"))
            journal.spend(f"run-{n}", {"completion_tokens": n})
            journal.end([f"run-{n - 1}"] if n else [])
        (path,) = folder.glob("*.jsonl")
        assert path.stat().st_size < MOST_BYTES_OVER + 10_000
        assert {path} == {*folder.iterdir()}
        with left_behind(folder) as found:
            assert not found
        shutil.copy(path, folder / "of-one-that-is-dead.jsonl")
        assert recover(store) == 2
    assert {run.run_id: run.completion_tokens for run in store.stream_runs()} == {"first": None, "run-2999": 2_999}


def test_a_journal_that_was_written_anew_meanwhile_is_not_taken_for_one_of_the_dead(tmp_path, monkeypatch):
    with Journal(tmp_path) as journal:
        journal.begin(a_run("first"))
        opened = os.open

        def meanwhile(path, *given):
            file = opened(path, *given)
            monkeypatch.setattr(os, "open", opened)
            for n in range(2_000):
                journal.begin(a_run(f"run-{n}"))
                journal.end([f"run-{n}"])
            return file

        monkeypatch.setattr(os, "open", meanwhile)
        with left_behind(tmp_path) as found:
            assert not found
        assert is_under_way(tmp_path, "first")


def test_a_run_is_under_way_until_it_is_in_the_store(tmp_path):
    assert not is_under_way(tmp_path / "no-such-folder", "first")
    with Journal(tmp_path) as journal:
        journal.begin(a_run("first"))
        journal.begin(a_run("second"))
        journal.end(["second"])
        assert [is_under_way(tmp_path, name) for name in ("first", "second", "third")] == [True, False, False]
        journal.end(["first"])
        assert not is_under_way(tmp_path, "first")


def a_run(name: str) -> Run:
    return Run(run_id=name, prompt_id="p", prompt="How many? " * 100, generator="small", status="error")
