"""Runs of flat tables some of whose rows are bad and skipped."""

from __future__ import annotations

import json

import pytest
from flat_tables import parquet, text_table

from planner.formats import import_logs


def rejected(path):
    """Lines as they were written out, and why, without the place."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(one["line"], one["reason"].split(": ", 1)[1]) for one in lines]


SPOILT = [
    {"correct": [0.0, 7.0, 0.0, 0.0]},
    {"chain": [1, 0, -1, 0]},
    {"chain": [1, 0, 0, 0], "attempt": [0, 0, 0, 0]},
    {"generator": ["small", "small", None, "small"]},
    {"params": ["{}", "{}", "[1]", "{}"]},
    {"verifier": ["prm", "p\0rm", "prm", None]},
    {"prompt": ["2 + 2?", "other", None, 'a "quoted",\nbroken line']},
]


@pytest.mark.parametrize("write", [parquet, text_table])
@pytest.mark.parametrize("changes", SPOILT, ids=[" ".join(changes) for changes in SPOILT])
def test_a_run_without_id_that_lost_a_row_is_left_out_whole_and_comes_once_when_mended(
    store, rows, tmp_path, write, changes
):
    name = "t.csv" if write is text_table else "t.parquet"
    params = {"params": ["{}"] * 4}
    spoilt = write(tmp_path / name, **{"run_id": ...} | params | changes)
    report = import_logs(store, spoilt, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_runs, report.n_samples, report.n_rejected) == (1, 1, 3)
    reasons = [reason for _, reason in rejected(tmp_path / "rejected.jsonl")]
    assert sum(reason.startswith("row: another row of its run is bad, expected all rows") for reason in reasons) == 2
    assert report.warnings == ()
    mended = import_logs(store, write(tmp_path / name, **{"run_id": ...} | params))
    assert (mended.n_runs, mended.n_samples, mended.n_duplicates) == (1, 3, 1)
    assert len(rows("SELECT * FROM samples")) == 4


def test_a_run_with_an_id_keeps_its_good_rows(store, tmp_path):
    path = parquet(tmp_path / "t.parquet", run_id=["r1", "r1", "r1", None], correct=[0.0, 7.0, 0.0, 0.0])
    report = import_logs(store, path, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_runs, report.n_samples, report.n_rejected) == (2, 3, 1)


def test_the_good_rows_of_a_run_that_is_left_out_are_written_as_they_stand(store, tmp_path):
    path = parquet(tmp_path / "t.parquet", run_id=..., correct=[0.0, 7.0, 0.0, 0.0])
    import_logs(store, path, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    written, reason = rejected(tmp_path / "rejected.jsonl")[1]
    assert reason.startswith("row: another row of its run is bad")
    line = {"prompt_id": "p1", "prompt": "2 + 2?", "generator": "small", "answer": "5", "correct": 0.0, "score": 0.25}
    assert line.items() <= written.items()


def test_bad_lines_that_tell_no_run_are_warned_of_where_runs_bear_no_id(store, tmp_path):
    (tmp_path / "t.csv").write_text("prompt,generator,answer,correct\none,a,x,1\none,a\none,a,z,0\n,a,z,0\n")
    report = import_logs(store, tmp_path / "t.csv", skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_samples, report.n_rejected) == (2, 2)
    (warning,) = report.warnings
    assert warning.startswith("2 of the bad lines do not tell their run")
    assert "planner logs undo ID" in warning
    (tmp_path / "ids.csv").write_text("prompt,generator,answer,correct,run_id\none,a,x,1,r\none,a\n")
    report = import_logs(store, tmp_path / "ids.csv", skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_samples, report.warnings) == (1, ())
