"""A language model as verifier: its words are read as a score."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import Completion, Conventions, Generate, Message, Verdict, Verify
from planner.errors import EndpointUnavailable
from planner.execution.routed import RoutedEndpoint
from planner.execution.verifiers import JudgeVerifier
from planner.execution.verifiers.judge import read_verdict


class Speaker:
    """An endpoint that says what a function makes of the request's last message."""

    name = "speaker"
    conventions = Conventions()
    max_concurrency = 4

    def __init__(self, say: Callable[[str], str | Completion]) -> None:
        self.say = say
        self.asked: list[Generate] = []
        self.closed = False

    async def models(self) -> Sequence[str]:
        return ["speaker", "judge"]

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        self.asked.append(request)
        said = self.say(request.messages[-1].content)
        return (
            Completion(said, prompt_tokens=30, cached_tokens=10, completion_tokens=5)
            if isinstance(said, str)
            else said,
        )

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        return tuple(Verdict(0.125) for _ in request.candidates)

    async def aclose(self) -> None:
        self.closed = True


def request(*candidates: str) -> Verify:
    return Verify("judge", (Message("user", "What is {answer}?"),), candidates)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Verdict: correct", 1.0),
        ("Verdict: incorrect", 0.0),
        ("**Verdict:** Correct.", 1.0),
        ("The verdict is: **Incorrect**", 0.0),
        ("Verdict: not correct", 0.0),
        ("Verdict: not entirely correct", 0.0),
        ("Verdict: partially correct", None),
        ("So it is mostly right.", None),
        ("Half of 14 is 7: correct", 1.0),
        ("At first: verdict: correct.\nOn reflection, verdict: wrong", 0.0),
        ("Verdict: yes", 1.0),
        ("verdict - no", 0.0),
        ("Verdict: \\boxed{correct}", 1.0),
        ("Score: 0.85", 0.85),
        ("Score: 7/10", 0.7),
        ("I give a rating of 3 out of 4. Score: 3 out of 4", 0.75),
        ("Score: 70%", 0.7),
        ("Score: 1", 1.0),
        ("Score: 7", None),
        ("Grade: 5/0", None),
        ("0.3", 0.3),
        ("Yes", 1.0),
        ("The sum is wrong in the first line.\nSo no.", 0.0),
        ("It looks fine.\nThe answer is correct.", 1.0),
        ("Correct or incorrect?", None),
        ("", None),
        ("I cannot tell.", None),
        ("Is correct: true", 1.0),
        ("correctness: false", 0.0),
        ("Verdict: notable", None),
        ("Score: 1.2.3", None),
        ("Verdict: incorrect\n\n1. Step 2 is wrong.", 0.0),
        ("Verdict: incorrect. 1 is not a prime.", 0.0),
        ("Verdict: incorrect (1 step is wrong)", 0.0),
        ("**Verdict: incorrect** - 0.5 was expected", 0.0),
        ("Verdict: correct. 3 checks passed.", 1.0),
        ("Verdict: correct: 3 checks passed", 1.0),
        ("Verdict: incorrect. The upgrade: 1", 0.0),
        ("Correct: 0.5", 0.5),
        ("**Correct**: yes", 1.0),
        ("Score:\n\n \n 0.5  ", 0.5),
    ],
)
def test_a_verdict_is_read_in_the_words_of_models(text: str, score: float | None):
    assert read_verdict(text) == score


def test_a_score_without_its_best_is_of_the_scale_that_was_asked_for():
    assert read_verdict("Score: 7", scale=10) == 0.7
    assert read_verdict("Score: 70/100", scale=10) == 0.7


@pytest.mark.parametrize(
    "filler", ["\n", " ", " \n", ".", "7", "7a", "7.", "score.7.", "verdict:no ", "not ", "1/", "-"]
)
@pytest.mark.parametrize("begin", ["", "7", "Score: 7", "Verdict: not"])
def test_no_text_holds_the_reading_up(begin: str, filler: str):
    started = time.perf_counter()
    read_verdict(begin + filler * (100_000 // len(filler)) + "x")
    assert time.perf_counter() - started < 1


def test_the_verdict_of_a_long_text_is_read_at_its_end():
    assert read_verdict("Verdict: correct. " + "Or is it? " * 10_000 + "Verdict: incorrect") == 0.0


@given(st.text(max_size=60))
def test_any_text_gives_a_score_in_0_to_1_or_none(text: str):
    for said in (text, f"Verdict: {text}", f"Score: {text}"):
        score = read_verdict(said)
        assert score is None or 0.0 <= score <= 1.0


def test_each_verdict_counts_one_generation_and_its_tokens():
    judge = JudgeVerifier(Speaker(lambda text: "Verdict: correct" if "good" in text else "Verdict: incorrect"), "judge")
    verdicts = asyncio.run(judge.verify(request("good", "bad")))
    assert [(verdict.score, verdict.generations, verdict.tokens) for verdict in verdicts] == [
        (1.0, 1.0, 25),
        (0.0, 1.0, 25),
    ]


def test_braces_of_problem_and_answer_stay_as_they_are():
    speaker = Speaker(lambda _: "Verdict: correct")
    judge = JudgeVerifier(speaker, "judge", prompt="P {problem} A {answer} {x}")
    asyncio.run(judge.verify(request("{problem}")))
    assert speaker.asked[0].messages[0].content == "P What is {answer}? A {problem} {x}"


def test_a_verdict_that_cannot_be_read_is_counted_without_a_score():
    (verdict,) = asyncio.run(JudgeVerifier(Speaker(lambda _: "hm"), "judge").verify(request("a")))
    assert (verdict.score, verdict.generations, verdict.tokens) == (None, 1.0, 25)


def fails_on(word: str) -> Callable[[str], str]:
    def say(text: str) -> str:
        if word in text:
            raise EndpointUnavailable("down")
        return "Verdict: correct"

    return say


def test_a_verdict_that_could_not_be_had_leaves_the_others():
    verdicts = asyncio.run(JudgeVerifier(Speaker(fails_on("bad")), "judge").verify(request("good", "bad")))
    assert [verdict.score for verdict in verdicts] == [1.0, None]


def test_no_verdict_at_all_is_an_error():
    with pytest.raises(EndpointUnavailable, match="down"):
        asyncio.run(JudgeVerifier(Speaker(fails_on("")), "judge").verify(request("a", "b")))


def test_unknown_tokens_stay_unknown():
    judge = JudgeVerifier(Speaker(lambda _: Completion("Verdict: correct")), "judge")
    assert asyncio.run(judge.verify(request("a")))[0].tokens is None


def routed() -> tuple[RoutedEndpoint, Speaker]:
    generators = Speaker(lambda text: "Verdict: correct")
    return RoutedEndpoint(generators, {"judge": JudgeVerifier(generators, "speaker")}), generators


def test_a_named_verifier_is_asked_and_others_are_the_servers_own():
    endpoint, _ = routed()
    assert asyncio.run(endpoint.verify(request("a")))[0].score == 1.0
    assert asyncio.run(endpoint.verify(Verify("prm", (), ("a",))))[0].score == 0.125


def test_a_routed_endpoint_speaks_for_its_generators():
    endpoint, generators = routed()
    assert (endpoint.name, endpoint.max_concurrency) == ("speaker", 4)
    assert endpoint.conventions is generators.conventions
    assert asyncio.run(endpoint.models()) == ["speaker", "judge"]
    assert asyncio.run(endpoint.generate(Generate("speaker", (Message("user", "hi"),))))[0].text == "Verdict: correct"
    asyncio.run(endpoint.aclose())
    assert generators.closed
