"""Functions and commands that grade and verify: scores, time limits, and nothing left running."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time

import pytest

from planner.core import Message, Verify
from planner.errors import EndpointRejected, InvalidInput
from planner.execution.answers import reading
from planner.execution.commands import parse_command, run_command
from planner.execution.graders import grader
from planner.execution.verifiers import CallableVerifier, CommandVerifier

ASKED = (Message("user", "Write code."),)


def python(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -S -c {shlex.quote(code)}"


def scores(verifier, *candidates: str):
    return [one.score for one in asyncio.run(verifier.verify(Verify("v", ASKED, candidates)))]


def grade(name: str, answer: str | None, reference: str = "7", **options) -> float:
    return asyncio.run(grader(name, **options)(answer, reference))


CHECK = "import sys; sys.exit(sys.stdin.read() != 'good')"


def test_the_exit_status_is_a_score():
    assert scores(CommandVerifier(python(CHECK)), "good", "bad", "good") == [1.0, 0.0, 1.0]


def test_the_number_on_the_last_line_is_a_score():
    code = "import sys; print('passed'); print(len(sys.stdin.read()) / 10)"
    assert scores(CommandVerifier(python(code)), "abc", "abcde") == [0.3, 0.5]


def test_a_command_that_does_not_end_is_killed_with_what_it_started(tmp_path):
    child = "import time; time.sleep(1); open('alive', 'w')"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-S', '-c', {child!r}]); time.sleep(60)"
    words = (sys.executable, "-S", "-c", f"import os; os.chdir({str(tmp_path)!r}); {code}")
    start = time.perf_counter()
    ended = asyncio.run(run_command(words, "", timeout_seconds=0.3))
    assert ended.status is None
    assert time.perf_counter() - start < 1
    time.sleep(1.2)
    assert not (tmp_path / "alive").exists()


def test_running_out_of_time_scores_nothing():
    assert scores(CommandVerifier(python("import time; time.sleep(60)"), timeout_seconds=0.2), "x") == [0.0]


def test_cancellation_kills_the_command(tmp_path):
    words = (sys.executable, "-S", "-c", f"import time; time.sleep(0.8); open({str(tmp_path / 'alive')!r}, 'w')")

    async def cancelled():
        task = asyncio.create_task(run_command(words, "", timeout_seconds=30))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    time.sleep(1)
    assert not (tmp_path / "alive").exists()


def test_a_command_that_prints_without_end_fills_no_memory():
    words = (
        sys.executable,
        "-S",
        "-c",
        "import sys\nfor _ in range(200): sys.stdout.write('x' * 100_000)\nprint()\nprint(0.5)",
    )
    ended = asyncio.run(run_command(words, "", timeout_seconds=20))
    assert len(ended.output) <= 65_536
    assert ended.output.endswith("0.5\n")


def test_a_command_need_not_read_its_input():
    assert scores(CommandVerifier(python("pass")), "x" * 5_000_000) == [1.0]


@pytest.mark.parametrize("command", ["", "no-such-program-anywhere", "'unclosed"])
def test_a_command_that_cannot_be_run_is_refused_at_once(command):
    with pytest.raises(InvalidInput, match="command"):
        parse_command(command)


def test_no_shell_reads_the_command(tmp_path):
    target = tmp_path / "made"
    scores(CommandVerifier(f"echo 1 > {target}"), "x")
    assert not target.exists()


def test_a_score_outside_its_range_is_an_error():
    with pytest.raises(EndpointRejected, match=r"0\.\.1"):
        scores(CommandVerifier(python("print(7)")), "x")


def test_where_one_command_fails_the_others_are_ended(tmp_path):
    code = "import sys, time; name = sys.stdin.read(); name == 'bad' and sys.exit(print(7)); time.sleep(0.5)"
    code += f"; open({str(tmp_path)!r} + '/' + name, 'w')"
    verifier = CommandVerifier(python(code), max_concurrency=2)

    async def failed() -> None:
        with pytest.raises(EndpointRejected):
            await verifier.verify(Verify("v", ASKED, ("bad", "a", "b", "c")))
        await asyncio.sleep(1.5)

    asyncio.run(failed())
    assert not list(tmp_path.iterdir())


def test_a_verifier_of_commands_serves_one_event_loop_after_another():
    verifier = CommandVerifier(python(CHECK), max_concurrency=1)
    assert [scores(verifier, "good", "bad", "good") for _ in range(2)] == [[1.0, 0.0, 1.0]] * 2


def test_a_function_scores_answers_or_steps():
    assert scores(CallableVerifier(lambda prompt, answer: len(answer) / len(prompt)), "abc") == [3 / 11]
    (verdict,) = asyncio.run(CallableVerifier(lambda *_: [0.5, 0.25]).verify(Verify("v", ASKED, ("x",))))
    assert (verdict.score, verdict.step_scores, verdict.tokens) == (0.25, (0.5, 0.25), 0)


def test_functions_run_side_by_side():
    start = time.perf_counter()
    scores(CallableVerifier(lambda *_: time.sleep(0.1) or 1.0), *"abcd")
    assert time.perf_counter() - start < 0.35


def test_an_async_function_is_awaited():
    async def score(_prompt, answer):
        await asyncio.sleep(0)
        return float(answer == "good")

    assert scores(CallableVerifier(score), "good", "bad") == [1.0, 0.0]


@pytest.mark.parametrize("score", [lambda *_: 1 / 0, lambda *_: 2.0, lambda *_: "x", lambda *_: [], lambda *_: None])
def test_a_function_that_fails_is_named(score):
    with pytest.raises(EndpointRejected, match="verifier"):
        scores(CallableVerifier(score), "x")


@pytest.mark.parametrize("name", ["no_such_module:f", "math:no_such", "math:pi"])
def test_a_function_that_is_not_there_is_refused_at_once(name):
    with pytest.raises(InvalidInput, match=name.split(":", maxsplit=1)[0]):
        CallableVerifier(name)


@pytest.mark.parametrize(
    ("name", "answer", "reference", "correct"),
    [
        ("exact", "7", "7", 1), ("exact", "7.0", "7", 0), ("numeric", "7.0", "7", 1), ("choice", "(b)", "B", 1),
        ("regex", "7 km", r"7( km)?", 1), ("math", r"\frac{1}{2}", "0.5", 1), ("math", "x^2+1", "1+x^2", 1),
        ("math", "x", "y", 0), ("operator:eq", "7", "7", 1), ("operator:eq", "8", "7", 0),
    ],
)  # fmt: skip
def test_graders_compare_an_answer_with_its_reference(name, answer, reference, correct):
    assert grade(name, answer, reference) == correct


@pytest.mark.parametrize("name", ["exact", "numeric", "choice", "regex", "math", "operator:eq", "command:true"])
def test_no_answer_is_not_correct(name):
    assert grade(name, None) == 0


def test_a_command_grades_by_what_it_reads_and_is_told():
    code = "import os, sys; sys.exit(sys.stdin.read() != os.environ['PLANNER_REFERENCE'])"
    assert [grade("command:" + python(code), answer) for answer in ("7", "8")] == [1, 0]


def test_a_slow_command_grades_nothing():
    assert grade("command:" + python("import time; time.sleep(60)"), "7", timeout_seconds=0.2) == 0


def test_an_unknown_grader_names_those_there_are():
    with pytest.raises(InvalidInput, match="numeric"):
        grader("nonsense")


def test_a_grader_that_fails_is_named():
    with pytest.raises(InvalidInput, match="operator:truediv"):
        grade("operator:truediv", "7")


@pytest.mark.parametrize(
    ("name", "text", "answered"),
    [
        ("auto", "3 + 4 = 7", False), ("auto", "3 + 4 = 7\nAnswer: 7", True), ("auto", r"\boxed{7}", True),
        ("last_number", "3 + 4", False), ("regex:x=(\\d)", "x=3", True), ("json:a", '{"a": 1}', True),
        ("json:a", '{"a": ', False), ("raw", "def f(): ...", False),
    ],
)  # fmt: skip
def test_a_text_is_a_finished_answer_where_it_says_one(name, text, answered):
    assert reading(name).answered(text) == answered


@pytest.mark.parametrize("name", ["auto", "answer_line", "choice", "last_number", "boxed", "json:a", "text"])
def test_a_text_of_megabytes_is_read_in_a_moment(name):
    read = reading(name)
    start = time.perf_counter()
    for text in (
        "answer " + " " * 3_000_000,
        "\n" * 3_000_000,
        '{"a":' * 600_000,
        "\\boxed{" * 400_000,
        "1" * 3_000_000,
    ):
        read.extract(text)
        read.answered(text)
    assert time.perf_counter() - start < 5


def test_the_answer_at_the_end_of_a_long_text_is_found():
    assert reading("auto").extract("so " * 2_000_000 + "\nAnswer: 7") == "7"
