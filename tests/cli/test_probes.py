"""Samples already drawn, as `planner recommend` and `planner run` take them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from planner.cli import main

PROMPT = "Start with 11. Multiply by 5. How many now?"


def ask(*arguments: str):
    return CliRunner().invoke(main, ["recommend", *arguments, "--max-generations", "4"])


def pass_rate(home, *probes: dict) -> float:
    (home / "given.json").write_text(json.dumps(probes))
    result = ask(PROMPT, "--probes", "given.json", "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["difficulty"]["pass_rate"]


def test_probes_sharpen_the_difficulty(home):
    (home / "probes.jsonl").write_text('{"answer": "55", "score": 0.98}\n{"answer": "55", "score": 0.97}\n')
    plan = json.loads(ask(PROMPT, "--probes", "probes.jsonl", "--json").stdout)
    assert plan["difficulty"]["source"] == "probes"


def test_probes_may_be_one_json_array(home):
    (home / "probes.json").write_text('[\n {"answer": "55", "score": 0.98},\n\n {"answer": "55",\n "score": 0.97}]\n')
    plan = json.loads(ask(PROMPT, "--probes", "probes.json", "--json").stdout)
    assert plan["difficulty"]["source"] == "probes"


def test_a_bad_probe_of_an_array_is_named_by_place_and_field(home):
    (home / "probes.json").write_text('[{"answer": "55"}, {"answer": "55", "correct": 3}]')
    result = ask(PROMPT, "--probes", "probes.json")
    assert result.exit_code == 2
    assert "probes.json[1]" in result.stderr
    assert "correct" in result.stderr


def test_a_bad_probe_is_named_by_line_and_field(home):
    (home / "probes.jsonl").write_text('{"answer": "55"}\n{"answer": "55", "correct": 3}\n')
    result = ask(PROMPT, "--probes", "probes.jsonl")
    assert result.exit_code == 2
    assert "probes.jsonl:2" in result.stderr
    assert "correct" in result.stderr


def test_high_scores_without_answers_are_good_news(home):
    scores = [{"score": 0.99}, {"score": 0.99}]
    answers = [{"answer": "55", "score": 0.99}, {"answer": "55", "score": 0.99}]
    null = [{"answer": None, "score": 0.99}, {"answer": None, "score": 0.99}]
    assert json.loads(ask(PROMPT, "--json").stdout)["difficulty"]["pass_rate"] < pass_rate(home, *scores)
    assert pass_rate(home, *null) == pass_rate(home, *scores) <= pass_rate(home, *answers)
    assert pass_rate(home, {"score": 0.02}, {"score": 0.02}) < pass_rate(home, *scores)


@pytest.mark.parametrize(
    ("probe", "message"),
    [({}, "says nothing"), ({"score": 1.5}, "score"), ({"score": -1}, "score"), ({"answer": None}, "says nothing")],
)
def test_a_probe_that_cannot_be_one_is_named(home, probe, message):
    (home / "probes.json").write_text(json.dumps([{"answer": "55"}, probe]))
    result = ask(PROMPT, "--probes", "probes.json")
    assert result.exit_code == 2
    assert "probes.json[1]" in result.stderr
    assert message in result.stderr


@pytest.mark.parametrize("command", [("recommend",), ("run", "--endpoint", "lab")])
def test_a_probe_of_a_prompt_that_is_not_asked_for_is_bad_input(home, command):
    (home / "probes.jsonl").write_text('{"answer": "55", "prompt_id": "other"}\n')
    (home / "prompts.jsonl").write_text(json.dumps({"prompt": PROMPT, "prompt_id": "a"}))
    for asked in ((PROMPT,), ("--input", "prompts.jsonl")):
        result = CliRunner().invoke(main, [*command, *asked, "--probes", "probes.jsonl", "--max-generations", "4"])
        assert result.exit_code == 2
        assert "prompt_id 'other' is of no prompt" in result.stderr


def test_probes_find_their_prompt_by_id_by_hash_or_as_the_only_one(home):
    line = {"prompt": PROMPT}
    hashed = json.loads(ask(PROMPT, "--json").stdout)["prompt_id"]
    for prompt_id, name in (("a", "a"), (None, hashed), ("a", None), (None, None)):
        probe = {"answer": "55", "score": 0.98} | ({"prompt_id": name} if name else {})
        (home / "probes.json").write_text(json.dumps([probe]))
        (home / "prompts.jsonl").write_text(json.dumps(line | ({"prompt_id": prompt_id} if prompt_id else {})))
        plan = json.loads(ask("--input", "prompts.jsonl", "--probes", "probes.json", "--json").stdout)
        assert plan["difficulty"]["source"] == "probes"


def test_with_many_prompts_a_probe_says_of_which_it_is(home):
    (home / "probes.json").write_text('[{"answer": "55"}]')
    (home / "prompts.jsonl").write_text("\n".join([json.dumps({"prompt": PROMPT})] * 2))
    result = ask("--input", "prompts.jsonl", "--probes", "probes.json")
    assert result.exit_code == 2
    assert "prompt_id is missing" in result.stderr
