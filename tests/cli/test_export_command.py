"""`planner export` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import main
from planner.core import Run, Sample
from planner.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLANNER_DATABASE_URL", raising=False)
    return tmp_path


def log(*samples: Sample) -> None:
    with Store.open("sqlite:///planner.db") as store:
        store.append([Run(run_id="a", prompt="q?", dataset="d", generator="g", breadth=2, samples=samples)])


def export(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["export", *arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


RIGHT, WRONG = Sample(text="a\nb", correct=1), Sample(chain=1, text="a\nc", correct=0)


def test_labels_go_to_a_file_and_the_count_to_stderr(folder: Path):
    log(RIGHT, WRONG)
    result = export("prm-labels", "--labels", "outcome", "--output", "prm.jsonl")
    assert result.stdout == ""
    assert "2 solutions" in result.stderr
    lines = (folder / "prm.jsonl").read_text().splitlines()
    assert [json.loads(line)["labels"] for line in lines] == [[True, True], [False, False]]


def test_conversations_go_to_stdout_with_the_instruction_given(folder: Path):
    log(RIGHT, WRONG)
    result = export("revision-pairs", "--instruction", "Once more.", "--seed", "1")
    messages = json.loads(result.stdout)["messages"]
    assert [message["content"] for message in messages] in (["q?", "a\nb"], ["q?", "a\nc", "Once more.", "a\nb"])


def test_the_instruction_is_that_of_the_conventions(folder: Path):
    (folder / "planner.toml").write_text('[conventions]\nrevision_instruction = "Revise:"\n')
    log(WRONG, Sample(chain=1, text="a\nd", correct=0), RIGHT)
    found = [json.loads(line)["messages"] for line in export("revision-pairs", "--seed", "1").stdout.splitlines()]
    assert {"Revise:"} == {messages[2]["content"] for messages in found if len(messages) > 2}


def test_logs_without_texts_leave_no_file_and_say_what_is_missing(folder: Path):
    log(Sample(correct=1))
    result = export("prm-labels", "--output", "prm.jsonl", code=3)
    assert "texts of the answers are not logged" in result.stderr
    assert not list(folder.glob("*prm*"))


def test_an_unknown_generator_is_refused(folder: Path):
    log(RIGHT)
    assert "nobody" in export("revision-pairs", "--generator", "nobody", code=2).stderr
