"""`planner run`: answers in the order of the input, errors by prompt, and nothing spent that is not logged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from loopback import LoopbackModels

from planner import Planner
from planner.cli import main
from planner.core import RunResult
from tests.interrupting import started

PROMPT = "Start with 11. Multiply by 5. How many now?"
ONE = '{"generator": "lab-small"}'


@pytest.fixture
def models():
    with LoopbackModels() as served:
        yield served


def run(*arguments: str, **options):
    return CliRunner().invoke(main, ["run", *arguments], **options)


def results(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def input_file(folder, *lines) -> str:
    path = folder / "prompts.jsonl"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return str(path)


def logged(run_ids):
    with Planner.open("sqlite:///planner.db") as planner:
        return {found.run_id: found for found in planner.store.find_runs(run_ids)}


def test_a_prompt_is_answered_in_words(home, models):
    result = run(PROMPT, "--max-generations", "4", "--endpoint", models.url, "--reference", "55")
    assert result.exit_code == 0, result.output
    assert all(word in result.stdout for word in ("answer      55", "correct     1", "cost", "planned", "run"))


def test_a_vote_that_told_nothing_is_told_in_words(home):
    arm = '{"generator": "lab-small", "selection": "majority_vote", "breadth": 4}'
    with LoopbackModels(lambda _body, place: f"I would say {place}") as models:
        shown = run(PROMPT, "--arm", arm, "--endpoint", models.url, "--extract", "text").stdout
    assert "note        no two of the 4 answers are equal" in shown
    assert "done        4 samples of lab-small" in shown


def test_free_text_may_be_chosen_by_likeness(home):
    texts = ["blue is the sky", "quite another thing", "blue is the sea", "blue is the sun"]
    arm = '{"generator": "lab-small", "selection": "majority_vote", "breadth": 4}'
    with LoopbackModels(lambda _body, place: texts[place % 4]) as models:
        asked = (PROMPT, "--arm", arm, "--endpoint", models.url, "--extract", "text", "--choose", "medoid", "--json")
        result = json.loads(run(*asked).stdout)
    assert result["answer"].startswith("blue")
    assert (result["plan"]["arm"]["selection"], result["note"]) == ("medoid", None)
    assert logged([result["run_id"]])[result["run_id"]].selection == "medoid"


def test_one_sample_is_told_as_one(home, models):
    assert "done        1 sample of lab-small" in run(PROMPT, "--arm", ONE, "--endpoint", models.url).stdout


def test_json_is_the_results_own(home, models):
    line = run(PROMPT, "--max-generations", "4", "--endpoint", models.url, "--json").stdout
    result = RunResult.model_validate_json(line)
    assert result.answer == "55"
    assert result.run_id in logged([result.run_id])


def test_the_prompt_can_come_from_standard_input(home, models):
    result = run("-", "--arm", ONE, "--endpoint", models.url, "--json", input=PROMPT)
    assert models.seen[0]["messages"][0]["content"] == PROMPT
    assert json.loads(result.stdout)["answer"] == "55"


def test_the_lab_needs_no_server(home):
    result = run(PROMPT, "--max-generations", "2", "--endpoint", "lab", "--json", "--seed", "3")
    assert json.loads(result.stdout)["status"] == "ok"


def test_answers_keep_the_order_of_the_input_however_long_each_takes(home):
    def answer(body, _place):
        number = int(body["messages"][0]["content"].split()[2].rstrip("."))
        time.sleep(0.05 * (5 - number))
        return f"Answer: {number}"

    lines = [
        {"prompt": f"Start with {i}. Add 2. How many now?", "prompt_id": f"p{i}", "reference": i} for i in range(5)
    ]
    with LoopbackModels(answer) as models:
        result = run("--input", input_file(home, *lines), "--arm", ONE, "--endpoint", models.url, "--json")
    made = results(result.stdout)
    assert [(one["prompt_id"], one["answer"], one["correct"]) for one in made] == [
        (f"p{i}", str(i), 1.0) for i in range(5)
    ]


def test_a_bad_line_gets_its_error_and_the_rest_are_answered(home, models):
    lines = ({"prompt": PROMPT, "prompt_id": "a"}, "{broken\n", {"prompt": "x", "prompt_id": "b", "colour": 1})
    result = run("--input", input_file(home, *lines), "--arm", ONE, "--endpoint", models.url, "--json")
    first, broken, unknown = results(result.stdout)
    assert result.exit_code == 2
    assert first["answer"] == "55"
    assert set(broken) == {"prompt_id", "error"}
    assert (unknown["prompt_id"], "colour" in unknown["error"]) == ("b", True)


def test_a_server_that_fails_is_exit_code_6(home):
    with LoopbackModels(status=400) as models:
        alone = run(PROMPT, "--arm", ONE, "--endpoint", models.url)
        lines = input_file(home, {"prompt": PROMPT, "prompt_id": "a"})
        many = run("--input", lines, "--arm", ONE, "--endpoint", models.url, "--json")
    assert (alone.exit_code, many.exit_code) == (6, 6)
    assert "broken" in alone.stderr
    assert "broken" in results(many.stdout)[0]["error"]


def test_without_an_endpoint_one_is_asked_for(home):
    result = run(PROMPT, "--max-generations", "4")
    assert result.exit_code == 2
    assert "PLANNER_ENDPOINT_URL" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (), (PROMPT, "--input", "x"), (PROMPT,), (PROMPT, "--max-tokens", "0"), (PROMPT, "--total-tokens", "5"),
        ("--input", "none.jsonl", "--max-tokens", "9"), ("--input", "x", "--reference", "1", "--max-tokens", "9"),
        (PROMPT, "--max-generations", "4", "--extract", "nonsense"),
        (PROMPT, "--max-generations", "4", "--choose", "nonsense"),
        (PROMPT, "--max-generations", "4", "--grade", "nonsense", "--reference", "1"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_exit_code_2_and_asks_no_server(home, models, arguments):
    result = run(*arguments, "--endpoint", models.url)
    assert result.exit_code == 2, result.output
    assert models.seen == []


def test_a_ceiling_is_kept_when_answers_are_longer_than_was_forecast(home):
    with LoopbackModels(completion_tokens=400) as models:
        arm = '{"generator": "lab-small", "selection": "majority_vote", "breadth": 8}'
        outcome = run(PROMPT, "--arm", arm, "--max-tokens", "1500", "--endpoint", models.url, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    result = json.loads(outcome.stdout)
    tokens = result["cost"]["prompt_tokens"] + result["cost"]["completion_tokens"]
    assert tokens <= 1500 + 412
    assert result["status"] == "truncated"
    assert result["answer"] == "55"


def test_no_adapt_carries_out_the_first_plan(home, models):
    line = run(PROMPT, "--max-generations", "4", "--no-adapt", "--endpoint", models.url, "--json").stdout
    result = json.loads(line)
    found = logged([result["run_id"]])[result["run_id"]]
    assert found.search == result["plan"]["arm"]["search"]


def test_the_key_is_sent_and_never_shown(home, monkeypatch):
    monkeypatch.setenv("PLANNER_API_KEY", "sk-secret-123")
    monkeypatch.setenv("PLANNER_LOG_LEVEL", "debug")
    with LoopbackModels(status=401) as models:
        result = run(PROMPT, "--arm", ONE, "--endpoint", models.url)
    assert result.exit_code == 6
    assert "sk-secret" not in result.output


def test_output_is_a_file_that_appears_whole(home, models):
    result = run(PROMPT, "--arm", ONE, "--endpoint", models.url, "--json", "--output", "out.jsonl")
    assert result.stdout == ""
    assert json.loads((home / "out.jsonl").read_text())["answer"] == "55"


def test_ctrl_c_ends_with_what_is_done_and_logs_what_was_spent(home):
    lines = [{"prompt": f"Start with {i}. Add 2. How many now?", "prompt_id": f"p{i}"} for i in range(40)]
    with LoopbackModels(seconds=0.1) as models:
        command = [
            sys.executable, "-m", "planner", "run", "--input", input_file(home, *lines), "--arm", ONE, "--concurrency",
            "4", "--endpoint", models.url, "--json",
        ]  # fmt: skip
        with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_for(models, 14, process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "what was spent is logged" in err
    done = results(out)
    assert 1 <= len(done) < 40
    with Planner.open("sqlite:///planner.db") as planner:
        runs = [found for found in planner.store.stream_runs() if (found.prompt_id or "").startswith("p")]
    mine = [found for found in runs if found.recommendation_id is not None]
    spent = sum(found.completion_tokens or 0 for found in mine)
    assert len(mine) >= len(done)
    assert spent >= 20 * 10 + 4  # four may be in flight, and of those it is not known how long they are


def test_what_a_killed_command_spent_is_logged_by_the_next(home):
    lines = [{"prompt": f"Start with {i}. Add 2. How many now?", "prompt_id": f"p{i}"} for i in range(40)]
    with LoopbackModels(seconds=0.05) as models:
        command = [
            sys.executable, "-m", "planner", "run", "--input", input_file(home, *lines), "--arm", ONE, "--concurrency",
            "1", "--endpoint", models.url,
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(models, 7, process)
        process.kill()
        process.communicate()
        result = run(PROMPT, "--arm", ONE, "--endpoint", models.url)
    assert result.exit_code == 0, result.stderr
    with Planner.open("sqlite:///planner.db") as planner:
        found = {run.prompt_id: run for run in planner.store.stream_runs() if (run.prompt_id or "").startswith("p")}
    assert sum(run.completion_tokens or 0 for run in found.values() if run.recommendation_id) >= 6 * 20
    assert {run.params.get("interrupted") for run in found.values()} >= {"its process ended"}


def wait_for(models, n_requests, process):
    until = time.monotonic() + 20
    while len(models.seen) < n_requests:
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
