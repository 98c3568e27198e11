"""What is graded at an import, and what stays ungraded."""

from __future__ import annotations

import csv

import pytest

from planner.formats import import_logs

RUN = {"run_id": "r", "prompt": "3 + 4?", "reference": "7", "generator": "small"}
CORRECT = "SELECT correct FROM samples ORDER BY chain"


def test_texts_without_an_answer_stay_ungraded_where_nothing_reads_them(store, rows, write_lines):
    samples = [{"text": "7"}, {"text": "Answer: 8", "answer": "8"}, {"text": "cut", "status": "truncated"}]
    report = import_logs(store, write_lines(RUN | {"samples": samples}), grade="exact")
    assert [row["correct"] for row in rows(CORRECT)] == [None, 0.0, 0.0]
    (warning,) = report.warnings
    assert warning.startswith("1 texts without an answer were not graded")
    assert "--extract" in warning


def test_texts_are_graded_by_the_answers_read_out_of_them(store, rows, write_lines):
    samples = [{"text": "Answer: 7"}, {"text": "I give up"}, {"text": "so\nAnswer: 7"}]
    report = import_logs(store, write_lines(RUN | {"samples": samples}), extract="answer_line", grade="exact")
    assert [row["correct"] for row in rows(CORRECT)] == [1.0, 0.0, 1.0]
    assert report.warnings == ()


def test_answers_that_are_all_graded_wrong_are_warned_of_with_one_beside_its_reference(store, write_lines):
    lines = write_lines(RUN | {"samples": [{"chain": i, "text": f"Well, the answer is {i}."} for i in range(20)]})
    (warning,) = import_logs(store, lines, extract="auto", grade="numeric").warnings
    assert warning.startswith("none of 20 answers is graded right, such as 'Well, the answer is 0.' for '7'")
    assert "another --extract" in warning


def test_one_right_answer_among_many_is_no_reason_to_warn(store, write_lines):
    lines = write_lines(RUN | {"samples": [{"chain": i, "text": f"Answer: {i}"} for i in range(20)]})
    assert import_logs(store, lines, extract="auto", grade="numeric").warnings == ()


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_empty_reference_is_none(store, rows, tmp_path, write_lines, kind):
    run = RUN | {"reference": "", "answer": "7"}
    path = write_lines(run)
    if kind == "csv":
        path = tmp_path / "t.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerows([list(run), list(run.values())])
    report = import_logs(store, path, grade="exact")
    assert {row["correct"] for row in rows("SELECT correct FROM samples UNION SELECT correct FROM runs")} == {None}
    assert any("have no reference" in warning for warning in report.warnings)
    import_logs(store, write_lines(RUN | {"run_id": "later", "answer": "7"}, name="later.jsonl"), grade="exact")
    assert rows("SELECT correct FROM runs WHERE run_id = 'later'") == [{"correct": 1.0}]
