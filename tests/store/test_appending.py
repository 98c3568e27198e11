from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event
from store_worlds import NOW, run, sampled, tree

from planner.core.batch import ScoreScale
from planner.errors import BadLog, StoreError
from planner.store import Store
from planner.store.rows import as_batch, text_hash
from planner.texts.kept import HashedText
from planner.texts.sketch import sketch


def test_runs_and_samples_are_counted(store):
    written = store.append([sampled("a"), tree("b"), run("c", correct=1)])
    assert (written.runs, written.samples, written.duplicates) == (3, 5, 0)
    counts = store.count()
    assert (counts.n_prompts, counts.n_runs, counts.n_samples, counts.n_ungraded) == (1, 3, 5, 0)


def test_the_same_runs_again_change_nothing(store, all_rows):
    store.append([sampled("a"), tree("b")])
    before = all_rows(store)
    written = store.append([sampled("a"), tree("b")])
    assert (written.runs, written.duplicates) == (0, 2)
    assert all_rows(store) == before


def test_a_run_id_twice_in_one_batch_is_one_run(store):
    written = store.append([run("a", correct=1), run("a", correct=0)])
    assert (written.runs, written.duplicates) == (1, 1)


def test_a_run_id_twice_in_one_import_is_one_run(store):
    with store.begin_import(source="x") as session:
        session.write(as_batch([run("a", correct=1)]))
        assert session.write(as_batch([run("a", correct=1)])).duplicates == 1
    assert store.imports()[0].n_duplicates == 1


def test_a_known_run_leaves_no_model_and_no_arm(store, all_rows):
    store.append([sampled("a")])
    before = all_rows(store)
    changed = sampled("a", verifier="another judge", params={"temperature": 1})
    staged = sampled("a").samples[0].model_copy(update={"generator": "another"})
    store.append([changed, changed.model_copy(update={"samples": (staged,)})])
    assert all_rows(store) == before


def test_a_known_run_is_skipped_with_its_samples_and_the_others_keep_theirs(store):
    store.append([sampled("a", corrects=(1, 1))])
    store.append([sampled("a", corrects=(0, 0)), sampled("b", prompt="other", corrects=(0, 1, 0))])
    logs = store.read_logs()
    corrects = [logs.samples.correct[logs.samples.prompt == prompt].tolist() for prompt in (0, 1)]
    assert corrects == [[1, 1], [0, 1, 0]]


def test_a_run_without_id_is_known_again_by_its_content(store):
    store.append([run("x", correct=1).model_copy(update={"run_id": None})])
    assert store.append([run("x", correct=1).model_copy(update={"run_id": None})]).duplicates == 1


def test_samples_out_of_order_find_their_runs(store):
    batch = as_batch([sampled("a", "one", (1, 1)), sampled("b", "two", (0, 0))])
    batch.samples = batch.samples.take([3, 0, 2, 1])
    with store.begin_import(source="x") as session:
        session.write(batch)
    samples = store.read_logs().samples
    assert samples.correct[samples.prompt == 0].tolist() == [1, 1]


def test_a_prompt_with_two_texts_is_refused_and_nothing_kept(store, all_rows):
    store.append([run("a")])
    before = all_rows(store)

    def import_both():
        with store.begin_import(source="x") as session:
            session.write(as_batch([run("b", "new prompt")]))
            session.write(as_batch([run("c", "changed", prompt_id="id of How many?")]))

    with pytest.raises(BadLog, match="another text"):
        import_both()
    assert all_rows(store) == before


def test_a_prompt_whose_text_is_unknown_is_refused(store):
    with pytest.raises(BadLog, match="not known yet"):
        store.append([run("a").model_copy(update={"prompt": None})])


@pytest.mark.parametrize("text", ["nul \0 here", "half \ud800 a pair"])
def test_texts_that_cannot_be_stored_are_refused(store, text):
    with pytest.raises(BadLog):
        store.append([run("a", prompt=text, prompt_id="p")])


def test_of_a_text_that_is_left_out_hash_and_sketch_are_kept(store):
    store.append([run("a", correct=1)], store_prompt_text=False)
    assert store.read_logs().prompts.texts == (HashedText(text_hash("How many?"), sketch("How many?")),)
    assert store.append([run("b", correct=1)], store_prompt_text=False).runs == 1
    with pytest.raises(BadLog):
        store.append([run("c", "changed", prompt_id="id of How many?")])


def test_what_was_null_of_a_prompt_is_filled_by_a_later_run(store):
    store.append([run("a")])
    store.append([run("b", dataset="sums", reference="7", metadata={"level": 2})])
    store.append([run("c", dataset="other")])
    prompts = store.read_logs().prompts
    assert (prompts.datasets, prompts.metadata) == (("sums",), ({"level": 2},))


def test_an_import_knows_prompts_and_runs_of_itself_and_of_earlier_ones(store):
    store.append([run("a", reference="7")])
    with store.begin_import(source="x") as session:
        session.write(as_batch([run("b", "new")]))
        assert session.known_prompts(["id of How many?", "id of new", "none"]).keys() == {
            "id of How many?",
            "id of new",
        }
        assert session.known_prompts(["id of How many?"])["id of How many?"].reference == "7"
        known = session.known_runs(["a", "b", "c"])
    assert known.keys() == {"a", "b"}
    assert (known["b"].prompt_id, known["b"].generator) == ("id of new", "small")


def test_score_scales_and_warnings_are_remembered(store):
    scale = ScoreScale(2.0, -1.0, "grades")
    with store.begin_import(source="x") as session:
        session.write(as_batch([run("a")]))
        session.finish(warnings=["look"], score_scales={"judge": scale})
    with store.begin_import(source="y") as session:
        assert session.score_scales() == {"judge": scale}


def test_imports_at_one_moment_have_names_of_their_own(store):

    for name in "abc":
        with store.begin_import(source="x", now=NOW) as session:
            session.write(as_batch([run(name)]))
    names = [row.import_id for row in store.imports()]
    assert names == ["20260102-030405-3", "20260102-030405-2", "20260102-030405"]
    assert store.imports()[0].imported_at == NOW


def test_keys_of_an_import_are_sound_and_checked_again_after_it(sqlite_url):
    with Store.open(sqlite_url) as store:
        store.append([sampled("a"), tree("b", verifier="judge"), run("c", "other", generator="large")])
        with store.database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_full_disk_leaves_the_store_as_it_was(sqlite_url, all_rows):
    with Store.open(sqlite_url) as store:
        store.append([sampled("a")])
        before = all_rows(store)
        store.database.close()

        def limit(connection, _record):
            connection.execute("PRAGMA max_page_count = 60")

        event.listen(store.database.engine, "connect", limit)
        with pytest.raises(StoreError, match="disk is full"):
            store.append([run(f"r{i}", prompt=f"{i} " * 500) for i in range(2000)])
        assert all_rows(store) == before


def test_a_store_that_another_process_writes_to_says_so(sqlite_url, monkeypatch):
    monkeypatch.setattr("planner.store.engine.BUSY_TIMEOUT_SECONDS", 0.05)
    with (
        Store.open(sqlite_url) as store,
        Store.open(sqlite_url) as other,
        other.database.writing(),
        pytest.raises(StoreError, match="another process is writing"),
    ):
        store.append([run("a")])


def test_an_import_waits_for_another_to_end(store):
    def second():
        store.append([sampled("b", "other"), sampled("a")])

    waiting = threading.Thread(target=second)
    with store.begin_import(source="first") as session:
        waiting.start()
        time.sleep(0.2)
        session.write(as_batch([sampled("a")]))
    waiting.join()
    assert [(row.n_runs, row.n_duplicates) for row in store.imports()] == [(1, 1), (1, 0)]


_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from store_worlds import sampled
from planner.store import Store
from planner.store.rows import as_batch, text_hash
from planner.texts.kept import HashedText
from planner.texts.sketch import sketch
store = Store.open(sys.argv[1])
with store.begin_import(source="killed") as session:
    for place in range(20):
        session.write(as_batch([sampled(f"k{place}-{i}", f"prompt {i}") for i in range(100)]))
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_import_leaves_the_store_as_it_was(store, store_url, all_rows):
    store.append([sampled("a")])
    before = all_rows(store)
    folder = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": str(Path(folder).parents[1])}
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, store_url, folder], capture_output=True, check=False, env=environment
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert killed.stdout == b"written\n"
    assert all_rows(store) == before


def test_runs_may_be_appended_to_one_import_as_they_come(store):
    for name in ("a", "b", "c"):
        store.append([run(name)], source="sweep", import_id="sweep-1")
        store.append([run("a")], source="sweep", import_id="sweep-1")
    (row,) = store.imports()
    assert (row.import_id, row.n_runs, row.n_duplicates) == ("sweep-1", 3, 3)
    assert store.undo("sweep-1").n_runs == 3
