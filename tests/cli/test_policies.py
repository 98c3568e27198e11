"""`planner fit` and `planner policies`: challengers, promotion, the way back, and damage."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from planner import Planner
from planner.cli import main


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def active() -> dict:
    return next(row for row in json.loads(run("policies", "list", "--json").stdout) if row["status"] == "promoted")


def test_the_list_names_the_promoted_policy(home):
    result = run("policies", "list")
    assert "promoted" in result.stdout
    assert active()["policy_id"] in result.stdout


def test_show_prints_the_held_out_report(home):
    result = run("policies", "show")
    assert result.exit_code == 0, result.stderr
    assert "mixture hull" in result.stdout
    assert "what is chosen, by bin" in result.stdout


def test_show_as_json_is_the_manifest(home):
    manifest = json.loads(run("policies", "show", "--json").stdout)
    assert {"settings", "data_fingerprint", "report", "files", "versions"} <= manifest.keys()


def test_whole_files_are_verified(home):
    assert run("policies", "verify").exit_code == 0


@pytest.mark.parametrize(
    "name", ["difficulty.lightgbm.txt", "difficulty.json", "budget.json", "policy.json", "manifest.json"]
)
def test_a_damaged_file_is_refused(home, name):
    path = home / "planner-artifacts" / active()["policy_id"] / name
    path.write_bytes(path.read_bytes()[:-100])
    for command in (("policies", "verify"), ("recommend", "Add 2 to 3.", "--max-tokens", "900")):
        result = run(*command)
        assert result.exit_code == 4
        assert name in result.stderr


def test_a_damaged_file_that_planning_does_not_read_is_found_by_verify(home):
    (home / "planner-artifacts" / active()["policy_id"] / "prompts.json").write_text("[]")
    assert run("recommend", "Add 2 to 3.", "--max-tokens", "900").exit_code == 0
    for verb in (("verify",), ("promote", active()["policy_id"])):
        result = run("policies", *verb)
        assert result.exit_code == 4
        assert "prompts.json" in result.stderr


def test_an_unknown_policy_is_bad_input(home):
    for verb in ("show", "promote", "verify"):
        assert run("policies", verb, "nonsense").exit_code == 2


def test_a_second_fit_of_the_same_data_is_the_same_policy(home):
    before = active()["policy_id"]
    result = run("fit", "--json")
    assert result.exit_code == 0, result.stderr
    made = json.loads(result.stdout)
    assert (made["policy_id"], made["promoted"]) == (before, True)
    assert "came out again" in made["reason"]


def test_a_challenger_is_compared_and_the_way_back_is_open(home):
    before = active()["policy_id"]
    result = run("fit", "--seed", "1", "--json")
    made = json.loads(result.stdout)
    assert made["policy_id"] != before
    assert "held-out prompts" in made["reason"]
    assert run("policies", "promote", made["policy_id"]).exit_code == 0
    assert active()["policy_id"] == made["policy_id"]
    assert run("policies", "rollback").exit_code == 0
    assert active()["policy_id"] == before


def test_no_policy_is_rolled_back_to_whose_files_are_damaged(home):
    before = active()["policy_id"]
    with Planner.open() as planner:
        planner.store.add_policy("later", artifact_path="elsewhere", summary={})
        planner.store.promote_policy("later", reason="a test")
    (home / "planner-artifacts" / before / "prompts.json").write_text("[]")
    result = run("policies", "rollback")
    assert result.exit_code == 4
    assert "prompts.json" in result.stderr
    assert active()["policy_id"] == "later"


@pytest.mark.parametrize("verb", [("rollback",), ("promote",)])
def test_a_policy_that_cannot_be_promoted_is_no_reason_to_go_back(home, verb):
    before = active()["policy_id"]
    with Planner.open() as planner:
        planner.store.add_policy("later", artifact_path="elsewhere", summary={})
        planner.store.promote_policy("later", reason="a test")
    (home / "planner-artifacts" / before / "prompts.json").unlink()
    result = run("policies", *verb, *([before] if verb == ("promote",) else []))
    assert result.exit_code == 4
    assert f"{before} cannot be promoted, and what is served stays" in result.stderr
    assert "planner policies promote ID" in result.stderr
    assert "rollback" not in result.stderr


def test_a_fit_that_fails_leaves_everything_as_it_was(home, monkeypatch):
    before = run("policies", "list", "--json").stdout, sorted(p.name for p in (home / "planner-artifacts").iterdir())

    def fail(*_, **__):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("planner.artifacts.folder._write_durably", fail)
    result = run("fit", "--seed", "2")
    assert result.exit_code == 4
    assert "free some space" in result.stderr
    after = run("policies", "list", "--json").stdout, sorted(p.name for p in (home / "planner-artifacts").iterdir())
    assert after == before


def test_a_generator_can_be_left_out_of_a_fit(home):
    result = run("fit", "--exclude-generator", "lab-large", "--json")
    assert result.exit_code == 0, result.stderr
    manifest = json.loads(run("policies", "show", json.loads(result.stdout)["policy_id"], "--json").stdout)
    assert manifest["settings"]["exclude_generators"] == ["lab-large"]
    assert not [label for label in manifest["arms"] if "lab-large" in label]


@pytest.mark.parametrize(("option", "what"), [("--exclude-dataset", "data set"), ("--exclude-generator", "generator")])
def test_leaving_out_a_name_that_is_not_logged_is_bad_input(home, option, what):
    result = run("fit", option, "typo")
    assert result.exit_code == 2
    assert f"no {what} 'typo' is logged" in result.stderr


def test_a_data_set_that_is_not_logged_among_others_that_are_is_bad_input(home):
    result = run("fit", "--dataset", "lab", "--dataset", "typo")
    assert result.exit_code == 2
    assert "no data set 'typo' is logged" in result.stderr


def test_fitting_on_no_runs_says_what_to_do(home):
    result = run("fit", "--dataset", "nothing")
    assert result.exit_code == 3
    assert "no run is logged of these data sets" in result.stderr
    assert "planner logs import" in result.stderr


@pytest.mark.parametrize("command", ["fit", "evaluate"])
@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_cannot_be_used_is_bad_input(home, command, seed):
    result = run(command, "--seed", seed)
    assert result.exit_code == 2
    assert f"the seed {seed} cannot be used" in result.stderr


def test_learning_from_metadata_that_no_prompt_has_is_bad_input(home):
    before = active()
    result = run("fit", "--metadata", "typo")
    assert result.exit_code == 2
    assert "no logged prompt has the metadata 'typo': the prompts have none" in result.stderr
    assert active() == before
