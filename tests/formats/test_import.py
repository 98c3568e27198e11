"""What an import brings into the store, and that it can be repeated."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys

import pytest
import zstandard
from sqlalchemy import event

from planner.errors import BadLog, StoreError
from planner.formats import import_logs, values


def test_a_run_comes_with_its_prompt_samples_generator_and_verifier(good, store, rows, write_lines):
    report = import_logs(store, write_lines(good))
    assert (report.n_runs, report.n_samples) == (1, 2)
    (prompt,) = rows("SELECT * FROM prompts")
    assert (prompt["prompt_id"], prompt["text"], prompt["dataset"], prompt["reference"]) == (
        "p1", "How many primes are below 10?", "primes", "4",
    )  # fmt: skip
    assert {(row["name"], row["kind"] == "generator") for row in rows("SELECT * FROM models")} == {
        ("small", True), ("prm", False),
    }  # fmt: skip
    samples = rows("SELECT * FROM samples ORDER BY chain")
    assert [(row["answer"], row["correct"], row["score"]) for row in samples] == [("4", 1.0, 0.9), ("5", 0.0, 0.2)]
    assert [row["prompt_tokens"] for row in samples] == [None, None]


def two_frames(data):
    packer = zstandard.ZstdCompressor()
    return packer.compress(data[:20]) + packer.compress(data[20:])


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zstandard.ZstdCompressor().compress, two_frames])
def test_plain_gzip_and_zstandard_are_read_alike(good, store, tmp_path, pack):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(pack(b"\xef\xbb\xbf" + json.dumps(good).encode() + b"\r\n\n"))
    assert import_logs(store, path).n_samples == 2


def test_the_same_file_twice_changes_nothing_and_says_so(good, store, contents, write_lines):
    path = write_lines(good, {k: v for k, v in good.items() if k != "run_id"})
    import_logs(store, path)
    before = contents()
    report = import_logs(store, path)
    assert (report.import_id, report.n_runs, report.n_duplicates) == (None, 0, 2)
    assert "nothing new" in report.summary
    assert contents() == before


def test_whole_numbers_stand_for_their_digits_in_ids_and_answers(good, store, write_lines):
    samples = [{"chain": 0, "answer": 4, "correct": 1}]
    import_logs(store, write_lines(good | {"prompt_id": 12, "run_id": 3, "reference": 4, "samples": samples}))
    (run,) = store.stream_runs()
    assert (run.prompt_id, run.run_id, run.reference, run.samples[0].answer) == ("12", "3", "4", "4")


def test_what_known_runs_fill_in_of_their_prompts_is_said(good, store, rows, write_lines):
    bare = {name: value for name, value in good.items() if name not in ("reference", "dataset")}
    import_logs(store, write_lines(bare), store_prompt_text=False)
    for n_filled, given in ((1, bare), (1, good), (0, good)):
        report = import_logs(store, write_lines(given))
        assert (report.import_id, report.n_filled) == (None, n_filled)
        assert ("the store is as it was before" in report.summary) == (n_filled == 0)
        assert ("; 1 prompts got a text" in report.summary) == (n_filled == 1)
    assert rows("SELECT text, reference FROM prompts") == [{"text": good["prompt"], "reference": "4"}]


def test_prompts_that_one_import_fills_in_itself_are_not_counted(good, store, write_lines):
    bare = {name: value for name, value in good.items() if name != "reference"}
    files = [write_lines(bare, name="a.jsonl"), write_lines(good | {"run_id": "r2"}, name="b.jsonl")]
    assert import_logs(store, files).n_filled == 0


def test_a_run_without_id_gets_its_content_hash_and_a_prompt_its_texts(good, store, rows, write_lines):
    bare = {k: v for k, v in good.items() if k not in ("run_id", "prompt_id")}
    import_logs(store, write_lines(bare, bare | {"answer": "4"}))
    ids = [row["run_id"] for row in rows("SELECT run_id FROM runs")]
    assert len(set(ids)) == 2
    assert all(len(one) == 64 for one in ids)
    (prompt,) = rows("SELECT prompt_id, text_sha256 FROM prompts")
    assert prompt["prompt_id"] == prompt["text_sha256"]


def test_a_sampling_run_that_names_no_shape_has_that_of_its_samples(good, store, rows, write_lines):
    samples = [{"chain": c, "attempt": a, "answer": "4"} for c in range(3) for a in range(2)]
    import_logs(
        store, write_lines({k: v for k, v in good.items() if k not in ("breadth", "depth")} | {"samples": samples})
    )
    assert rows("SELECT breadth, depth FROM arms") == [{"breadth": 3, "depth": 2}]


def test_records_without_id_that_are_equal_count_once_with_a_warning(good, store, write_lines):
    bare = {k: v for k, v in good.items() if k != "run_id"}
    report = import_logs(store, write_lines(bare, bare))
    assert report.n_runs == 1
    assert any("give each a run_id" in warning for warning in report.warnings)


def test_a_later_record_fills_the_grades_that_were_missing(good, store, rows, write_lines):
    ungraded = json.loads(json.dumps(good))
    for sample in ungraded["samples"]:
        sample["correct"] = None
    import_logs(store, write_lines(ungraded))
    report = import_logs(store, write_lines(good))
    assert (report.n_runs, report.n_graded) == (0, 2)
    assert [row["correct"] for row in rows("SELECT correct FROM samples ORDER BY chain")] == [1.0, 0.0]


def test_a_record_without_id_that_is_graded_later_is_the_same_run(good, store, rows, write_lines):
    bare = {"prompt": "2 + 2?", "generator": "small", "answer": "4"}
    import_logs(store, write_lines(bare))
    import_logs(store, write_lines(bare | {"correct": True}))
    assert [row["correct"] for row in rows("SELECT correct FROM runs")] == [1.0]


def test_a_prompts_text_may_stand_in_a_table_that_is_imported_with_the_runs(good, store, tmp_path, write_lines):
    runs = write_lines({k: v for k, v in good.items() if k != "prompt"})
    table = tmp_path / "samples.csv"
    table.write_text("prompt_id,prompt,generator,answer,correct\np1,How many primes are below 10?,small,4,1\n")
    assert import_logs(store, [runs, table]).n_runs == 2


def test_files_are_imported_together_or_not_at_all(good, store, contents, write_lines):
    before = contents()
    paths = [write_lines(good, name="a.jsonl"), write_lines(good | {"correct": 9}, name="b.jsonl")]
    with pytest.raises(BadLog, match=r"b\.jsonl:1"):
        import_logs(store, paths)
    assert contents() == before


def test_an_import_that_is_interrupted_leaves_the_store_as_it_was(good, store, contents, write_lines):
    before = contents()
    path = write_lines(*[good | {"run_id": str(i)} for i in range(12_000)])

    def stop(done, _total=None, _stage=None):
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_logs(store, path, progress=stop)
    assert contents() == before


KILLED = """
import os, signal, sys
from planner.formats import import_logs, values
from planner.store import Store

def die(done, total=None, stage=None):
    if done > 0.5:
        os.kill(os.getpid(), signal.SIGKILL)

import_logs(Store.open(sys.argv[1]), sys.argv[2], progress=die)
"""


def test_an_import_that_is_killed_leaves_the_store_as_it_was(good, store, contents, write_lines, tmp_path):
    before = contents()
    path = write_lines(*[good | {"run_id": str(i)} for i in range(12_000)])
    url = f"sqlite:///{tmp_path / 'planner.db'}"
    process = subprocess.run([sys.executable, "-c", KILLED, url, str(path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert contents() == before
    assert import_logs(store, path).n_runs == 12_000


def test_a_full_disk_is_told_in_words_and_leaves_the_store_as_it_was(good, store, contents, write_lines):
    before = contents()
    path = write_lines(*[good | {"run_id": str(i), "answer": "x" * 5000} for i in range(3000)])
    engine = store.database.engine
    with engine.connect() as connection:
        n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def bound(raw, _record):
        raw.execute(f"PRAGMA max_page_count = {n_pages + 200}")

    store.database.close()
    event.listen(engine, "connect", bound)
    with pytest.raises(StoreError, match="the disk is full"):
        import_logs(store, path)
    event.remove(engine, "connect", bound)
    assert contents() == before


def test_raw_answers_are_extracted_and_graded(store, rows, write_lines):
    samples = [
        {"chain": 0, "text": r"so it is \boxed{4}", "answer": None},
        {"chain": 1, "answer": r"\boxed{5}"},
        {"chain": 2, "answer": "I give up"},
        {"chain": 3, "answer": r"\boxed{4}", "correct": 0.25},
    ]
    run = {"prompt": "2 + 2?", "reference": "4.0", "generator": "small", "samples": samples}
    import_logs(store, write_lines(run), extract="boxed", grade="numeric")
    found = [(row["answer"], row["correct"]) for row in rows("SELECT answer, correct FROM samples ORDER BY chain")]
    assert found == [("4", 1.0), ("5", 0.0), (None, 0.0), ("4", 0.25)]


def test_answers_without_a_reference_stay_ungraded_with_a_warning(store, rows, write_lines):
    report = import_logs(store, write_lines({"prompt": "2 + 2?", "generator": "a", "answer": "4"}), grade="exact")
    assert [row["correct"] for row in rows("SELECT correct FROM runs")] == [None]
    assert any("no reference" in warning for warning in report.warnings)


def run_of(*answers, **changes):
    samples = [{"chain": chain, "answer": answer} for chain, answer in enumerate(answers)]
    return {"run_id": "r1", "prompt": "2 + 2?", "reference": "4", "generator": "small", "samples": samples} | changes


def test_an_extractor_that_finds_nothing_in_most_texts_is_warned_of(store, write_lines):
    lines = write_lines(run_of("Therefore the answer is 4", "it is 4", r"\boxed{4}"))
    (warning,) = import_logs(store, lines, extract="boxed", grade="exact").warnings
    assert warning.startswith("boxed found no answer in 2 of 3 texts")
    assert "choose another --extract" in warning


def test_an_extractor_that_finds_nothing_in_some_texts_is_no_reason_to_warn(store, write_lines):
    lines = write_lines(run_of("I give up", None, r"\boxed{4}"))
    assert import_logs(store, lines, extract="boxed", grade="exact").warnings == ()


def test_answers_of_known_runs_are_not_read_again_which_is_said(store, rows, write_lines):
    lines = write_lines(run_of("Answer: 4"), run_of("Answer: 5", run_id="r2"))
    import_logs(store, lines)
    report = import_logs(store, lines, extract="answer_line", grade="exact")
    assert {row["answer"] for row in rows("SELECT answer FROM samples")} == {"Answer: 4", "Answer: 5"}
    assert report.n_graded == 2
    (warning,) = report.warnings
    assert "those of 2 runs that were known already stay as they were stored" in warning
    assert "planner logs undo ID" in warning


def test_new_runs_and_equal_records_are_no_known_ones(store, write_lines):
    bare = {name: value for name, value in run_of("Answer: 4").items() if name != "run_id"}
    warnings = import_logs(store, write_lines(bare, bare), extract="answer_line").warnings
    assert [warning for warning in warnings if "known already" in warning] == []


def test_a_reference_that_is_known_from_an_earlier_import_grades_a_later_one(good, store, rows, write_lines):
    import_logs(store, write_lines(good))
    later = {"run_id": "r2", "prompt_id": "p1", "generator": "small", "answer": "4"}
    import_logs(store, write_lines(later, name="later.jsonl"), grade="exact")
    assert rows("SELECT correct FROM runs WHERE run_id = 'r2'") == [{"correct": 1.0}]


def test_texts_of_prompts_are_not_kept_where_they_should_not_be(good, store, rows, write_lines):
    path = write_lines(good)
    import_logs(store, path, store_prompt_text=False)
    assert rows("SELECT text FROM prompts") == [{"text": None}]
    other = write_lines(good | {"prompt": "another", "run_id": "r2"}, name="other.jsonl")
    with pytest.raises(BadLog, match="stands for another text"):
        import_logs(store, other, store_prompt_text=False)


def test_an_import_is_undone_as_a_whole(good, store, contents, write_lines):
    before = contents()
    report = import_logs(store, write_lines(good))
    store.undo(report.import_id)
    assert contents() == before


def test_progress_rises_to_the_number_of_files(good, store, write_lines):
    seen = []
    paths = [write_lines(good, name="a.jsonl"), write_lines(good | {"run_id": "r2"}, name="b.jsonl")]
    import_logs(store, paths, progress=lambda done, total, _stage: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (2, 2)


def test_runs_of_a_third_party_search_and_selection_are_read(store, write_lines, good, tmp_path, monkeypatch):
    metadata = tmp_path / "other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    entries = "[planner.strategies]\nmagic = other:MAGIC\n[planner.selections]\nloudest = other:LOUDEST\n"
    (metadata / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(str(tmp_path))
    values._third_parties.cache_clear()
    try:
        import_logs(store, write_lines(good | {"search": "magic", "selection": "loudest"}))
    finally:
        values._third_parties.cache_clear()
    assert {(arm.search, arm.selection) for arm in store.read_logs().arms} == {("magic", "loudest")}
