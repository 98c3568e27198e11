"""Runs that are refused for what the store knows, their references or their scores: each is named and kept aside."""

from __future__ import annotations

import json

import pytest
from flat_tables import parquet

from planner.errors import BadLog
from planner.formats import import_logs

RUN = {"prompt_id": "p", "generator": "small", "answer": "4"}
OTHER = RUN | {"run_id": "other", "prompt": "3 + 3?"}


@pytest.fixture
def skip(store, tmp_path):
    """Imports a file without its bad lines, and gives the report with what was rejected."""

    def run(path, **options):
        rejected = tmp_path / "rejected.jsonl"
        report = import_logs(store, path, skip_bad=True, rejected_path=rejected, **options)
        return report, [json.loads(line) for line in rejected.read_text().splitlines()]

    return run


@pytest.fixture
def known(store, write_lines):
    import_logs(store, write_lines(RUN | {"run_id": "r0", "prompt": "2 + 2?"}, name="known.jsonl"))


@pytest.mark.usefixtures("known")
def test_only_the_run_with_another_text_is_left_out(skip, write_lines):
    runs = [RUN | {"run_id": f"r{i}"} for i in range(1, 10)]
    path = write_lines(OTHER, *runs)
    report, rejected = skip(path)
    assert (report.n_runs, report.n_rejected) == (9, 1)
    assert rejected[0]["reason"].startswith(f"{path}:1: prompt: prompt_id 'p' stands for another text")
    assert json.loads(rejected[0]["line"]) == OTHER


@pytest.mark.usefixtures("known")
def test_every_run_with_another_text_is_named(store, write_lines):
    path = write_lines(OTHER, RUN | {"run_id": "good"}, OTHER | {"run_id": "other too"})
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()[:-1]] == [f"{path}:1", f"{path}:3"]


def test_runs_of_a_flat_table_with_another_text_are_left_out_with_their_rows(store, skip, tmp_path, write_lines):
    import_logs(store, write_lines(RUN | {"run_id": "r0", "prompt_id": "p1", "prompt": "another"}, name="known.jsonl"))
    path = parquet(tmp_path / "t.parquet", run_id=["r1", "r1", "r3", "r2"])
    report, [rejected] = skip(path)
    assert (report.n_runs, report.n_samples, report.n_rejected) == (2, 2, 1)
    assert "prompt_id 'p1' stands for another text" in rejected["reason"]
    assert [(row["prompt_id"], row["run_id"], row["answer"]) for row in rejected["line"]] == [
        ("p1", "r1", "4"), ("p1", "r1", "5"),
    ]  # fmt: skip


def test_a_run_of_an_unknown_text_is_written_as_it_stands(skip, write_lines):
    _, [rejected] = skip(write_lines(RUN | {"run_id": "r1"}))
    assert "the text of prompt_id 'p' is not known yet" in rejected["reason"]
    assert json.loads(rejected["line"]) == RUN | {"run_id": "r1"}


BAD_REFERENCE = {"run_id": "bad", "prompt": "3 + 3?", "reference": "(", "generator": "small", "answer": "6"}


@pytest.mark.parametrize("samples", [{}, {"samples": [{"answer": "6"}, {"answer": "7"}]}], ids=["run", "samples"])
def test_a_reference_that_is_no_regular_expression_is_named_and_skipped(store, rows, skip, write_lines, samples):
    good = {"run_id": "good", "prompt": "2 + 2?", "reference": "4|four", "generator": "small", "answer": "four"}
    path = write_lines(good, BAD_REFERENCE | samples)
    with pytest.raises(BadLog) as caught:
        import_logs(store, path, grade="regex")
    assert str(caught.value).startswith(f"{path}:2: reference: '(' is no regular expression: ")
    report, [rejected] = skip(path, grade="regex")
    assert (report.n_runs, report.n_graded) == (1, 0)
    assert json.loads(rejected["line"]) == BAD_REFERENCE | samples
    assert rows("SELECT run_id, correct FROM runs") == [{"run_id": "good", "correct": 1.0}]


def test_a_prompt_whose_reference_was_refused_gets_the_mended_one(store, rows, skip, write_lines):
    skip(write_lines(BAD_REFERENCE, BAD_REFERENCE | {"run_id": "graded", "correct": 1}), grade="regex")
    import_logs(store, write_lines(BAD_REFERENCE | {"reference": "6"}, name="mended.jsonl"), grade="regex")
    assert rows("SELECT run_id, correct FROM runs ORDER BY run_id") == [
        {"run_id": "bad", "correct": 1.0}, {"run_id": "graded", "correct": 1.0},
    ]  # fmt: skip


def test_scores_of_an_unnamed_scale_are_named_with_their_line_and_skipped(store, skip, write_lines):
    bad = RUN | {"run_id": "bad", "prompt": "2 + 2?", "samples": [{"answer": "4", "score": 5}]}
    path = write_lines(bad | {"run_id": "good", "verifier": "prm"}, bad)
    with pytest.raises(BadLog, match=r"runs.jsonl:2: score: scores outside 0..1 stand beside no verifier"):
        import_logs(store, path)
    report, [rejected] = skip(path)
    assert (report.n_runs, report.n_rejected) == (1, 1)
    assert json.loads(rejected["line"]) == bad
