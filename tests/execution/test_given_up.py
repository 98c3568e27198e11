"""Tries that were given up on: their server may have gone on, so what it may bill is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hostile import Act, answering, body, chat, error, reset, silence
from scripted_endpoint import CARDS, Scripted, ask, asking
from scripted_endpoint import plain as answered
from serving import FakeTime, question, serving

from planner.core import Completion, Generate, Message, Verdict, Verify
from planner.errors import EndpointError, EndpointTimeout, EndpointUnavailable
from planner.execution.driver import drive
from planner.execution.ledger import Ledger
from planner.execution.meter import Meter
from planner.execution.verifiers import JudgeVerifier, RemoteVerifier

CUT = body(b'{"choices": [', length=500)
"""An answer that breaks off."""
JUDGED = Verify("judge", (Message("user", "How many?"),), ("1", "2"))


def generated(*acts: Act, n: int = 1) -> tuple[Completion, ...]:
    async def run() -> tuple[Completion, ...]:
        async with serving(*acts, timeout_seconds=0.3, max_concurrency=1) as (endpoint, _):
            return await endpoint.generate(question(n=n))

    return asyncio.run(run())


def failed(*acts: Act, n: int = 1) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        generated(*acts, n=n)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "abandoned"), [(silence, 1), (error(504), 1), (CUT, 1), (error(503), 0), (error(429), 0), (reset, 0)]
)
def test_an_answer_tells_of_the_tries_before_it(fault, abandoned):
    assert [one.abandoned for one in generated(fault, chat("2"))] == [abandoned]


def test_each_completion_of_a_try_is_told_of():
    assert [one.abandoned for one in generated(silence, chat("2", "3", "4"), n=3)] == [3, 0, 0]


def test_what_failed_beside_others_is_told_with_them():
    """The server gives one choice a request: of the two that are topped up one is never answered."""
    assert [one.abandoned for one in generated(chat("2"), chat("3"), silence, n=3)] == [2, 0]


@pytest.mark.parametrize(
    ("acts", "abandoned"),
    [((silence,), 2), ((silence, error(503)), 1), ((error(503),), 0), ((silence, error(401)), 1), ((error(504),), 6)],
)
def test_an_error_tells_of_all_tries(acts, abandoned):
    assert failed(*acts).abandoned == failed(*acts, n=3).abandoned == abandoned


def spent(reply: Callable[[Generate, int], tuple[Completion, ...]]) -> Meter:
    """What a request for two completions came to, each forecast to have 40 tokens."""
    counting = Meter(None, CARDS, completion_tokens=40)
    try:
        asyncio.run(drive(asking((ask(2),)), Scripted(reply), counting))
    except EndpointError:
        assert counting.cost.generations in {0, 2}
    return counting


def raising(problem: EndpointError, tries: int) -> Callable[[Generate, int], tuple[Completion, ...]]:
    def reply(*_: object) -> tuple[Completion, ...]:
        problem.abandoned = tries
        raise problem

    return reply


def test_a_try_that_was_given_up_on_counts_as_expected_beside_the_answer():
    once = spent(answered)
    late = spent(lambda request, _: (Completion("1", prompt_tokens=5, completion_tokens=10, abandoned=2),) * 2)
    assert once.cost.completion_tokens == 2 * 10
    assert late.cost.completion_tokens == 2 * 10 + 4 * 40
    assert late.cost.prompt_tokens > once.cost.prompt_tokens
    assert late.cost.usd > once.cost.usd
    assert late.cost.generations == once.cost.generations == 2


@pytest.mark.parametrize(("problem", "tries"), [(EndpointTimeout("late"), 1), (EndpointUnavailable("down"), 3)])
def test_each_try_counts_where_no_answer_came(problem, tries):
    assert spent(raising(problem, tries)).cost.completion_tokens == tries * 2 * 40


def test_what_was_never_begun_costs_nothing():
    assert spent(raising(EndpointUnavailable("down"), 0)).is_empty


def test_it_is_taken_from_the_ceiling_also_where_the_server_counts_nothing():
    def room(**members: int) -> float:
        ledger = Ledger({"tokens": 10_000})
        counting = Meter(None, CARDS, completion_tokens=40, shared=[ledger])
        reservation = counting.reserve(ask())
        assert reservation is not None
        counting.settle(reservation, (Completion("x", **members),))
        return ledger.room("tokens")

    assert room() - room(abandoned=1) > 40
    assert room() - room(abandoned=2) == pytest.approx(2 * (room() - room(abandoned=1)))


def test_verdicts_tell_of_tries_too():
    async def judged() -> tuple[Verdict, ...]:
        async with serving(silence, chat("Verdict: correct"), timeout_seconds=0.3, max_concurrency=1) as (endpoint, _):
            return await JudgeVerifier(endpoint, "judge").verify(JUDGED)

    async def scored() -> tuple[Verdict, ...]:
        scores = answering(lambda _: (200, {"scores": [0.5, 0.5]}))
        async with serving(silence, scores) as (_, server):
            verifier = RemoteVerifier(server.url, timeout_seconds=0.3, sleep=FakeTime().sleep)
            try:
                return await verifier.verify(JUDGED)
            finally:
                await verifier.aclose()

    assert sum(one.abandoned for one in asyncio.run(judged())) == 1
    assert [one.abandoned for one in asyncio.run(scored())] == [2, 0]


def test_what_a_verdict_may_have_taken_before_is_counted():
    def tokens(abandoned: int) -> float:
        counting = Meter(None, CARDS)
        reservation = counting.reserve(JUDGED)
        assert reservation is not None
        counting.settle(reservation, (Verdict(0.5, tokens=20, abandoned=abandoned), Verdict(0.5, tokens=20)))
        return counting.cost.verifier_tokens or 0.0

    assert tokens(0) == 40
    assert tokens(4) - tokens(0) == pytest.approx(2 * (tokens(2) - tokens(0)))
    assert tokens(2) > 40
