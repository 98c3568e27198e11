"""`planner logs` and `planner grade` as people type them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.formats.answers import EXTRACTORS, GRADERS

RUN = {"run_id": "r1", "prompt": "2 + 2?", "reference": "4", "dataset": "sums", "generator": "small", "answer": "4"}


@pytest.fixture
def planner(tmp_path, monkeypatch):
    """Runs a command in an empty folder and gives its result."""
    monkeypatch.chdir(tmp_path)
    for name in ("PLANNER_DATABASE_URL", "PLANNER_STORE_PROMPT_TEXT"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return run


@pytest.fixture
def log(tmp_path):
    def write(*runs, name="runs.jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, runs)))
        return name

    return write


def test_an_import_says_what_it_brought_and_the_second_that_nothing_is_new(planner, log):
    name = log(RUN)
    assert planner("logs", "import", name).stdout.startswith("imported 1 runs with 0 samples as ")
    assert planner("logs", "import", name).stdout.startswith("nothing new: 1 runs were known already")


def test_an_import_as_json_bears_the_whole_report(planner, log):
    report = json.loads(planner("logs", "import", log(RUN), "--json", "--grade", "numeric").stdout)
    assert (report["n_runs"], report["files"], report["warnings"]) == (1, ["runs.jsonl"], [])


def test_a_bad_line_is_named_on_stderr_with_exit_code_2(planner, log):
    result = planner("logs", "import", log(RUN, RUN | {"correct": 3}), code=2)
    assert result.stdout == ""
    assert "error: runs.jsonl:2: correct: is 3, expected a number in 0..1" in result.stderr


def test_bad_lines_are_left_out_where_asked_and_written_beside(planner, log, tmp_path):
    planner("logs", "import", log(RUN, RUN | {"correct": 3}), "--skip-bad")
    assert "correct: is 3" in (tmp_path / "runs.jsonl.rejected.jsonl").read_text()
    planner("logs", "import", log(RUN, {}), "--skip-bad", "--rejected", "bad.jsonl")
    assert (tmp_path / "bad.jsonl").exists()


def test_warnings_go_to_stderr(planner, log):
    bare = {"prompt": "2 + 2?", "generator": "small", "answer": "4"}
    result = planner("logs", "import", log(bare), "--grade", "exact", "--json")
    assert "warning: 1 answers were not graded" in result.stderr
    json.loads(result.stdout)


def test_imports_are_listed_counted_and_undone(planner, log):
    report = json.loads(planner("logs", "import", log(RUN), "--json").stdout)
    (listed,) = json.loads(planner("logs", "list", "--json").stdout)
    assert (listed["import_id"], listed["source"]) == (report["import_id"], "runs.jsonl")
    assert report["import_id"] in planner("logs", "list").stdout
    (counted,) = json.loads(planner("logs", "stats", "--json").stdout)
    assert (counted["dataset"], counted["generator"], counted["n_runs"]) == ("sums", "small", 1)
    assert "small" in planner("logs", "stats").stdout
    assert planner("logs", "undo", report["import_id"]).stdout.startswith("took out 1 runs")
    assert json.loads(planner("logs", "stats", "--json").stdout) == []


def test_undoing_an_import_that_is_not_there_is_refused(planner, log):
    planner("logs", "import", log(RUN))
    assert "planner logs list" in planner("logs", "undo", "none", code=2).stderr


def test_deleting_asks_unless_told_not_to(planner, log):
    planner("logs", "import", log(RUN, RUN | {"run_id": "r2", "generator": "large"}))
    assert "--yes" in planner("logs", "delete", "--generator", "small", code=2).stderr
    assert planner("logs", "delete", "--generator", "small", "--yes").stdout.startswith("took out 1 runs")
    assert [row["generator"] for row in json.loads(planner("logs", "stats", "--json").stdout)] == ["large"]


def test_old_runs_are_deleted_by_a_day(planner, log):
    planner("logs", "import", log(RUN | {"started_at": "2020-01-01T00:00:00Z"}, RUN | {"run_id": "r2"}))
    assert planner("logs", "delete", "--before", "2021-01-01", "--yes").stdout.startswith("took out 1 runs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what to delete"),
        (("--before", "soon"), "'soon' is no time"),
        (("--before", "0001-01-01T00:00:00+01:00"), "is no time"),
    ],
)
def test_deleting_without_a_usable_condition_is_refused(planner, log, arguments, message):
    planner("logs", "import", log(RUN))
    assert message in planner("logs", "delete", "--yes", *arguments, code=2).stderr


def test_a_late_grade_is_stored(planner, log):
    planner("logs", "import", log(RUN))
    assert planner("grade", "r1", "--correct", "0.5").stdout == "r1: correct 0.5\n"
    (counted,) = json.loads(planner("logs", "stats", "--json").stdout)
    assert counted["n_ungraded"] == 0


@pytest.mark.parametrize(("run", "correct"), [("none", "1"), ("r1", "1.5"), ("r1", "nan")])
def test_a_grade_of_an_unknown_run_or_out_of_bounds_is_refused(planner, log, run, correct):
    planner("logs", "import", log(RUN))
    assert planner("grade", run, "--correct", correct, code=2).stderr.startswith("error: ")


def test_a_grade_of_a_run_whose_id_is_no_text_is_refused_as_of_an_unknown_one(planner, log):
    planner("logs", "import", log(RUN))
    assert r"error: no run '\udcff' is logged" in planner("grade", "\udcff", "--correct", "1", code=2).stderr


def test_listing_where_nothing_is_stored_names_the_command_that_helps(planner):
    assert "planner db init" in planner("logs", "list", code=5).stderr


def test_prompt_texts_are_left_out_where_the_settings_say_so(planner, log, monkeypatch, tmp_path):
    import sqlite3
    from contextlib import closing

    monkeypatch.setenv("PLANNER_STORE_PROMPT_TEXT", "false")
    planner("logs", "import", log(RUN))
    with closing(sqlite3.connect(tmp_path / "planner.db")) as connection:
        assert connection.execute("SELECT text FROM prompts").fetchall() == [(None,)]
    assert "1 runs bear no prompt" in planner("logs", "export").stderr


def test_what_was_exported_is_known_when_it_is_imported_again(planner, log, tmp_path):
    samples = [{"chain": 0, "answer": "4", "correct": 1, "step_scores": [0.5, 1]}, {"chain": 1, "status": "error"}]
    tree = {**RUN, "run_id": "r2", "search": "beam_search", "started_at": "2026-01-02T03:04:05+01:00"}
    planner("logs", "import", log(RUN, {**tree, "samples": samples, "params": {"beam_width": 4}}))
    planner("logs", "export", "--dataset", "sums", "--output", "back.jsonl")
    assert "2 runs were known already" in planner("logs", "import", "back.jsonl").stdout
    planner("--database-url", "sqlite:///other.db", "logs", "import", "back.jsonl")
    again = planner("--database-url", "sqlite:///other.db", "logs", "export").stdout
    assert again == (tmp_path / "back.jsonl").read_text()


def test_the_help_of_an_import_names_every_extractor_and_grader(planner):
    words = " ".join(planner("logs", "import", "--help").stdout.split())
    assert [name for name in (*EXTRACTORS, *GRADERS) if name not in words] == []
