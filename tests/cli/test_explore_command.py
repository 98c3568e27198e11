"""`planner explore` as people type it, on the lab's models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import main

PROMPTS = [
    {"prompt": "Start with 5. Add 3. How many now?", "reference": "8"},
    {"prompt": "Start with 70. Take the remainder by 9. Multiply by 8. How many now?", "reference": "56"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("PLANNER_DATABASE_URL", "PLANNER_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, PROMPTS)))
    return tmp_path


def planner(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def explore(*arguments: str, code: int = 0) -> Result:
    return planner("explore", "--prompts", "prompts.jsonl", "--endpoint", "lab", *arguments, code=code)


def test_the_lab_is_swept_with_its_verifier_and_its_reviser(folder: Path):
    sizes = ["--samples", "4", "--other-samples", "1", "--chains", "1", "--depth", "2", "--tree-size", "4"]
    report = json.loads(explore(*sizes, "--json").stdout)
    assert report["n_failed"] == 0
    rows = json.loads(planner("logs", "stats", "--json").stdout)
    found = {(row["generator"], row["verifier"]) for row in rows if row["search"] == "sampling"}
    assert found == {(name, "lab-prm") for name in ("lab-small", "lab-large", "lab-reviser")}
    assert sum(row["n_ungraded"] for row in rows) == 0
    again = json.loads(explore(*sizes, "--json").stdout)
    assert (again["n_runs"], again["n_known"]) == (0, report["n_runs"])


def test_one_generator_without_a_verifier_and_a_total(folder: Path):
    asked = ["--generator", "lab-small", "--no-verifier", "--no-search", "--max-generations", "12"]
    result = explore(*asked)
    assert "the total in generations was reached" in result.stdout
    (row,) = json.loads(planner("logs", "stats", "--json").stdout)
    assert (row["generator"], row["verifier"], row["n_samples"]) == ("lab-small", None, 8)


def test_bad_lines_are_named_before_anything_is_drawn(folder: Path):
    (folder / "prompts.jsonl").write_text('{"prompt": "a"}\n{"prompt": 7}\nnothing')
    error = explore(code=2).stderr
    assert "prompts.jsonl:2" in error
    assert "prompts.jsonl:3" in error


def test_an_endpoint_has_to_be_named(folder: Path):
    assert "--endpoint" in planner("explore", "--prompts", "prompts.jsonl", code=2).stderr


def test_a_search_needs_a_verifier(folder: Path):
    asked = ["--generator", "lab-small", "--no-verifier", "--search", "beam_search"]
    assert "needs a verifier" in explore(*asked, code=2).stderr


def test_fresh_problems_of_the_lab_are_explored_into_a_file_that_can_be_imported(folder: Path):
    sizes = ["--samples", "2", "--other-samples", "1", "--chains", "1", "--depth", "2", "--tree-size", "2"]
    asked = ["--problems", "3", "--search", "rebase", *sizes, "--output", "lab.jsonl", "--json"]
    told = json.loads(planner("lab", "explore", *asked).stdout)
    assert told["n_runs"] == len((folder / "lab.jsonl").read_text().splitlines())
    assert not (folder / "planner.db").exists()
    planner("logs", "import", "lab.jsonl")
    rows = json.loads(planner("logs", "stats", "--json").stdout)
    assert {row["dataset"] for row in rows} == {"lab-fresh"}
    assert sum(row["n_samples"] for row in rows if row["search"] == "sampling") == 3 * (2 + 1 + 2)


@pytest.mark.parametrize(("option", "name"), [("verifier", "lab-prm"), ("search", "beam_search")])
def test_what_is_named_and_unwanted_at_once_is_bad_input(folder: Path, option: str, name: str):
    error = explore(f"--no-{option}", f"--{option}", name, code=2).stderr
    assert f"--no-{option} and --{option} contradict each other" in error
    assert not (folder / "planner.db").exists()


def test_prompts_without_a_reference_are_told_before_anything_is_spent(folder: Path):
    bare = [{"prompt": one["prompt"]} for one in PROMPTS]
    asked = ["--generator", "lab-small", "--no-verifier", "--max-generations", "8"]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, bare)))
    assert "--fit learns from graded answers" in explore(*asked, "--fit", code=2).stderr
    assert not (folder / "planner.db").exists()
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, [bare[0], PROMPTS[1]])))
    assert "warning: 1 of 2 prompts have no `reference`" in explore(*asked).stderr
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, PROMPTS)))
    assert "warning" not in explore(*asked).stderr
    rows = json.loads(planner("logs", "stats", "--json").stdout)
    assert [row["n_ungraded"] for row in rows] == [0]
