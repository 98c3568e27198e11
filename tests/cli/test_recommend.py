"""`planner recommend`: every way to ask, and what is answered to what cannot be."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from planner import Planner, Recommendation
from planner.cli import main
from planner.cli.prompts import read_input

PROMPT = "Start with 11. Multiply by 5. How many now?"


def ask(*arguments: str, **options):
    return CliRunner().invoke(main, ["recommend", *arguments], **options)


def plans(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def input_file(folder, *lines) -> str:
    path = folder / "prompts.jsonl"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_a_prompt_is_answered_in_words(home):
    result = ask(PROMPT, "--max-generations", "4")
    assert result.exit_code == 0, result.output
    assert all(word in result.stdout for word in ("arm", "accuracy", "90% interval", "cost", "difficulty", "reason"))


def test_json_is_the_models_own(home):
    result = ask(PROMPT, "--max-generations", "4", "--json")
    assert Recommendation.model_validate_json(result.stdout).arm.generator.startswith("lab-")


def test_the_prompt_can_come_from_standard_input(home):
    named = ask(PROMPT, "--max-generations", "4", "--json")
    piped = ask("-", "--max-generations", "4", "--json", input=PROMPT)
    assert json.loads(piped.stdout)["prompt_id"] == json.loads(named.stdout)["prompt_id"]


def test_explain_shows_the_runners_up(home):
    assert "runner-up 1" in ask(PROMPT, "--max-generations", "8", "--explain").stdout


def test_recommendations_are_stored_with_their_propensity(home):
    made = json.loads(ask(PROMPT, "--max-generations", "4", "--json").stdout)
    with Planner.open("sqlite:///planner.db") as planner:
        stored = planner.store.recommendation(made["recommendation_id"])
    assert stored is not None
    assert stored.model_dump(mode="json") == made


def test_answers_keep_the_order_of_the_input(home):
    lines = [{"prompt": f"Start with {i}. Add 2. How many now?", "prompt_id": f"p{i}"} for i in range(5)]
    result = ask("--input", input_file(home, *lines), "--max-generations", "4", "--json")
    assert [plan["prompt_id"] for plan in plans(result.stdout)] == ["p0", "p1", "p2", "p3", "p4"]


def test_a_file_of_prompts_with_references_can_be_planned_for_too(home):
    lines = [{"prompt": PROMPT, "prompt_id": "a", "reference": "7"}, {"prompt": PROMPT, "reference": 7}]
    result = ask("--input", input_file(home, *lines), "--max-generations", "4", "--json")
    assert (result.exit_code, ["arm" in plan for plan in plans(result.stdout)]) == (0, [True, True])


def test_a_bad_line_gets_its_error_and_the_rest_are_answered(home):
    lines = ({"prompt": PROMPT, "prompt_id": "a"}, "{broken\n", {"prompt": 7, "prompt_id": "b"}, {"prompt": PROMPT})
    result = ask("--input", input_file(home, *lines), "--max-generations", "4", "--json")
    first, broken, number, last = plans(result.stdout)
    assert result.exit_code == 2
    assert ("arm" in first, "arm" in last) == (True, True)
    assert broken["prompt_id"] is None
    assert ":2:" in broken["error"]
    assert number["prompt_id"] == "b"
    assert "prompt" in number["error"]


@pytest.mark.parametrize(
    ("member", "value"), [("prompt_id", 3), ("dataset", 1), ("metadata", "x"), ("colour", "blue"), ("prompt", "  ")]
)
def test_a_wrong_member_is_named(home, member, value):
    result = ask("--input", input_file(home, {"prompt": PROMPT} | {member: value}), "--max-generations", "4", "--json")
    assert result.exit_code == 2
    assert member in plans(result.stdout)[0]["error"]


def test_an_infeasible_prompt_gets_the_least_budget_as_its_error(home):
    result = ask("--input", input_file(home, {"prompt": PROMPT, "prompt_id": "a"}), "--max-tokens", "1", "--json")
    answer = plans(result.stdout)[0]
    assert result.exit_code == 2
    assert answer["prompt_id"] == "a"
    assert "least budget" in answer["error"]


def test_chat_messages_are_a_prompt(home):
    chat = [{"role": "user", "content": PROMPT}]
    result = ask("--input", input_file(home, {"prompt": chat}, {"prompt": PROMPT}), "--max-generations", "4", "--json")
    one, other = plans(result.stdout)
    assert one["prompt_id"] == other["prompt_id"]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_input_is_bad_input(home, text):
    result = ask("--input", input_file(home, text), "--max-generations", "4")
    assert result.exit_code == 2
    assert "holds no prompts" in result.stderr


def test_an_error_names_a_prompt_without_an_id_as_a_plan_would(home):
    file = input_file(home, {"prompt": PROMPT})
    refused, answered = (ask("--input", file, "--max-tokens", tokens, "--json").stdout for tokens in ("1", "500"))
    assert plans(refused)[0]["prompt_id"] == plans(answered)[0]["prompt_id"]


def test_invalid_utf8_is_the_error_of_its_line(home):
    (home / "bad.jsonl").write_bytes(b'{"prompt": "\xff\xfe"}\n{"prompt": "Add 1 to 2. How many now?"}\n')
    result = ask("--input", "bad.jsonl", "--max-generations", "4", "--json")
    assert result.exit_code == 2
    assert "UTF-8" in plans(result.stdout)[0]["error"]
    assert "arm" in plans(result.stdout)[1]


def test_a_byte_order_mark_is_no_part_of_the_first_line(home):
    line = json.dumps({"prompt": PROMPT, "prompt_id": "marked"})
    (home / "marked.jsonl").write_text(f"{line}\n", encoding="utf-8-sig")
    result = ask("--input", "marked.jsonl", "--max-generations", "4", "--json")
    assert result.exit_code == 0, result.stdout
    assert plans(result.stdout)[0]["prompt_id"] == "marked"


def test_a_number_of_thousands_of_digits_is_told_in_words(tmp_path):
    (tmp_path / "in.jsonl").write_text(f'{{"prompt": {"9" * 5000}}}\n')
    [line] = read_input(str(tmp_path / "in.jsonl"), {})
    assert str(line.error).endswith("in.jsonl:1: line: holds a number of thousands of digits, expected usual length")


def test_output_is_written_whole_to_a_file(home):
    result = ask(PROMPT, "--max-generations", "4", "--json", "--output", "plan.json")
    assert result.stdout == ""
    assert "arm" in json.loads((home / "plan.json").read_text())


def test_a_failed_run_leaves_no_output_file(home):
    ask(PROMPT, "--max-tokens", "1", "--json", "--output", "plan.json")
    assert sorted(p.name for p in home.glob("*plan.json*")) == []


def test_generators_searches_and_selections_restrict_the_arms(home):
    result = ask(
        PROMPT, "--max-generations", "8", "--generator", "lab-small", "--search", "sampling",
        "--selection", "best_of_n", "--selection", "weighted_vote", "--json",
    )  # fmt: skip
    arm = json.loads(result.stdout)["arm"]
    assert (arm["generator"], arm["search"]) == ("lab-small", "sampling")
    assert arm["selection"] in {"best_of_n", "weighted_vote"}


def test_an_unknown_generator_names_those_there_are(home):
    result = ask(PROMPT, "--max-generations", "8", "--generator", "nobody")
    assert result.exit_code == 2
    assert "lab-small" in result.stderr


def test_an_arm_can_be_forced(home):
    arm = '{"generator": "lab-small"}'
    result = ask(PROMPT, "--arm", arm, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["arm"]["generator"] == "lab-small"


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize(
    ("option", "name", "what"),
    [
        ("--generator", "lab-large", "generator 'lab-small'"),
        ("--search", "mcts", "search 'sampling'"),
        ("--selection", "best_of_n", "selection 'first'"),
    ],
)
def test_an_arm_that_other_options_exclude_is_bad_input(home, many, option, name, what):
    prompt = ["--input", input_file(home, {"prompt": PROMPT})] if many else [PROMPT]
    result = ask(*prompt, "--arm", '{"generator": "lab-small"}', option, name)
    assert result.exit_code == 2
    assert f"the arm that is given has the {what}, but {name!r} is asked for" in result.stderr


@pytest.mark.parametrize("text", ["{", "[]", '{"breadth": 2}', '{"generator": "lab-small", "breadth": 0}'])
def test_an_arm_that_cannot_be_read_is_bad_input(home, text):
    result = ask(PROMPT, "--arm", text)
    assert result.exit_code == 2
    assert "--arm" in result.stderr


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_budget_that_is_no_amount_is_bad_input(home, value):
    result = ask(PROMPT, f"--max-tokens={value}")
    assert result.exit_code == 2
    assert "max_tokens" in result.stderr


def test_without_any_budget_one_is_asked_for(home):
    result = ask(PROMPT)
    assert result.exit_code == 2
    assert "budget" in result.stderr


def test_two_averages_are_refused_in_plain_words(home):
    result = ask(PROMPT, "--mean-tokens", "200", "--mean-flops", "1e8")
    assert result.exit_code == 2
    assert "the budget cannot be used: at most one average over traffic can be kept" in result.stderr


def test_an_output_that_cannot_be_written_is_bad_input(home):
    result = ask(PROMPT, "--max-generations", "4", "--output", "nowhere/plans.jsonl")
    assert result.exit_code == 2
    assert "nowhere/plans.jsonl cannot be written" in result.stderr


def test_a_target_accuracy_needs_no_budget(home):
    plan = json.loads(ask(PROMPT, "--target-accuracy", "0.8", "--json").stdout)
    assert plan["target_accuracy"] == 0.8


def test_a_total_is_kept_over_the_whole_input(home):
    lines = [{"prompt": f"Start with {i}. Add 2. How many now?"} for i in range(20)]
    result = ask("--input", input_file(home, *lines), "--total-generations", "60", "--json")
    assert result.exit_code == 0, result.stderr
    assert sum(plan["forecast"]["cost"]["generations"] for plan in plans(result.stdout)) <= 60 * 1.0001


def test_prompt_and_input_exclude_each_other(home):
    assert ask(PROMPT, "--input", "x.jsonl", "--max-tokens", "5").exit_code == 2


def test_strange_prompts_are_answered(home):
    lines = [{"prompt": "a\tb"}, {"prompt": "\U0001f600 " * 2000}, {"prompt": "x" * 1_000_000}]
    result = ask("--input", input_file(home, *lines), "--max-generations", "4", "--json")
    assert result.exit_code == 0, result.stderr
    assert len(plans(result.stdout)) == 3


BAD_TEXTS = {
    "NUL": (b"a\0b", "holds a NUL character"),
    "no UTF-8": (b"\xff\xfe", "no valid UTF-8"),
    "too long": (b"x" * 1_000_001, "has 1,000,001 bytes, the limit is 1,000,000"),
}


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize("command", [("recommend",), ("run", "--endpoint", "lab")])
def test_a_prompt_that_no_log_could_hold_is_bad_input(home, command, bad):
    data, message = BAD_TEXTS[bad]
    result = CliRunner().invoke(main, [*command, "-", "--max-generations", "4"], input=data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "standard input: prompt: " in result.stderr
    assert message in result.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"prompt": "a\0b"}, "prompt: holds a NUL character"),
        ({"prompt": [{"role": "user", "content": "a\0b"}]}, "prompt: holds a NUL character"),
        ({"prompt": "\ud800"}, "prompt: holds half of a surrogate pair"),
        ({"prompt": "x" * 10_000_000}, "prompt: has 10,000,000 bytes"),
        ({"prompt": PROMPT, "prompt_id": "p" * 501}, "prompt_id: has 501 bytes, the limit is 500"),
        ({"prompt": PROMPT, "dataset": "\0"}, "dataset: holds a NUL character"),
    ],
)
def test_a_line_that_no_log_could_hold_gets_its_error(home, line, message):
    result = ask("--input", input_file(home, line, {"prompt": PROMPT}), "--max-generations", "4", "--json")
    assert result.exit_code == 2
    assert message in plans(result.stdout)[0]["error"]
    assert "arm" in plans(result.stdout)[1]


def test_a_prompt_of_the_command_line_that_is_no_utf8_is_bad_input(home):
    result = ask("\udcff", "--max-generations", "4")
    assert result.exit_code == 2
    assert "PROMPT: prompt: holds half of a surrogate pair" in result.stderr
