"""The driver: what a search asks for is had side by side, and what goes wrong leaves what came through."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from scripted_endpoint import ASKED, CARDS, Scripted, ask, asking, plain

from planner.core import Budget, Completion, Generate, Verdict, Verify
from planner.errors import EndpointTimeout, EndpointUnavailable, InvalidInput, PlannerError
from planner.execution.driver import drive
from planner.execution.ledger import Ledger
from planner.execution.meter import Meter
from planner.strategies.pool import Interrupted
from planner.strategies.transcript import Transcript, replay


def meter(**ceilings) -> Meter:
    return Meter(Budget(**ceilings) if ceilings else None, CARDS)


def driven(search, endpoint, counting=None, **options):
    return asyncio.run(drive(search, endpoint, counting or meter(), **options))


def failing(*numbers, error=EndpointUnavailable):
    def reply(request, number):
        if number in numbers:
            raise error("the server is down")
        return plain(request, number)

    return reply


def test_every_reply_comes_back_in_the_order_of_its_request():
    replies = []

    def search():
        replies.extend((yield tuple(ask(n) for n in (3, 1, 2))))
        return (yield from asking())

    driven(search(), Scripted())
    assert [len(reply) for reply in replies] == [3, 1, 2]


def test_requests_of_one_step_run_side_by_side():
    endpoint = Scripted(seconds=0.05)
    start = time.perf_counter()
    driven(asking(tuple(ask() for _ in range(16))), endpoint)
    assert time.perf_counter() - start < 0.6  # one after the other they take 0.8
    assert endpoint.most_running == 16


def test_64_generations_of_50_ms_take_little_more_than_one():
    start = time.perf_counter()
    driven(asking(tuple(ask() for _ in range(64))), Scripted(seconds=0.05, max_concurrency=64), meter(max_tokens=1e6))
    assert time.perf_counter() - start < 1  # one after the other they take 3.2


def test_no_more_run_at_once_than_the_endpoint_takes():
    endpoint = Scripted(seconds=0.001, max_concurrency=3)
    driven(asking(tuple(ask() for _ in range(20))), endpoint)
    assert endpoint.most_running == 3


def test_one_failing_request_leaves_the_replies_of_the_others():
    result = driven(asking((ask(), ask(), ask()), (ask(),)), Scripted(failing(1)))
    assert len(result.samples) == 3
    assert result.interrupted == "the server is down"


def test_a_step_that_fails_ends_the_search_with_what_it_has():
    result = driven(asking((ask(),), (ask(),), (ask(),)), Scripted(failing(1)))
    assert len(result.samples) == 1
    assert result.interrupted == "the server is down"


def test_without_any_candidate_the_endpoints_error_is_raised():
    with pytest.raises(EndpointUnavailable, match="down"):
        driven(asking((ask(),)), Scripted(failing(0)))


def test_what_failed_costs_nothing_and_what_timed_out_what_was_expected():
    refused, late = meter(), meter()
    driven(asking((ask(), ask())), Scripted(failing(0)), refused)
    driven(asking((ask(), ask())), Scripted(failing(0, error=EndpointTimeout)), late)
    assert refused.cost.completion_tokens == 10
    assert late.cost.completion_tokens > 10


def test_verdicts_that_are_missing_are_filled_with_none():
    def search():
        (verdicts,) = yield (Verify("judge", ASKED, ("a", "b", "c")),)
        assert [one.score for one in verdicts] == [0.5, None, None]
        return (yield from asking())

    driven(search(), Scripted(score=lambda _request, _number: (Verdict(0.5, tokens=3),)))


def test_more_completions_than_asked_for_are_paid_and_not_used():
    counting = meter()
    result = driven(asking((ask(2),)), Scripted(lambda request, number: plain(request, number) * 2), counting)
    assert len(result.samples) == 2
    assert counting.cost.completion_tokens == 40


def test_a_ceiling_ends_the_run_with_its_best_so_far():
    counting = meter(max_generations=5)
    result = driven(asking(*[(ask(2),)] * 9), Scripted(), counting)
    assert len(result.samples) == 5
    assert "5 generations" in result.interrupted
    assert counting.cost.generations == 5


def test_parts_of_one_request_bear_seeds_of_their_own():
    endpoint = Scripted()
    driven(asking((ask(8, seed=7),)), endpoint, meter(max_tokens=300))
    seeds = [request.seed for request in endpoint.seen]
    assert len(seeds) > 1
    assert len(set(seeds)) == len(seeds)


def test_a_latency_ceiling_cancels_what_is_in_flight():
    endpoint, counting = Scripted(seconds=30), meter(max_latency_seconds=0.1)
    start = time.perf_counter()
    result = driven(asking((ask(), ask())), endpoint, counting)
    assert time.perf_counter() - start < 1
    assert endpoint.running == 0
    assert result.chosen is None
    assert "0.1 seconds" in result.interrupted
    assert counting.cost.completion_tokens > 0


def test_a_step_that_cannot_be_paid_for_leaves_nothing_held_in_a_shared_account():
    shared, endpoint = Ledger({"usd": 1.0}), Scripted()
    counting = Meter(None, CARDS, shared=[shared])
    with pytest.raises(InvalidInput, match="unpriced"):
        driven(asking((ask(), replace(ask(), generator="unpriced"))), endpoint, counting)
    assert (shared.in_flight, endpoint.seen) == (0, [])
    assert counting.is_empty


def test_cancellation_stops_the_requests_and_counts_them():
    endpoint, counting = Scripted(seconds=30), meter()

    async def cancelled():
        task = asyncio.create_task(drive(asking((ask(), ask())), endpoint, counting))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert endpoint.running == 0
    assert counting.usage[0].requests == 2


def test_a_search_that_does_not_end_when_interrupted_is_an_error():
    def stubborn():
        while True:
            try:
                yield (ask(),)
            except Interrupted:
                continue

    with pytest.raises(PlannerError, match="asks on"):
        driven(stubborn(), Scripted(failing(*range(99))))


def test_an_error_of_the_search_itself_comes_out():
    def broken():
        yield (ask(),)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        driven(broken(), Scripted())


@pytest.mark.parametrize("endpoint", [Scripted(), Scripted(failing(2)), Scripted(failing(0, 1))])
def test_replaying_the_transcript_gives_the_same_result(endpoint):
    steps = ((ask(2),), (ask(), ask()), (ask(),))
    transcript = Transcript()
    try:
        live = driven(asking(*steps), endpoint, transcript=transcript)
    except EndpointUnavailable:
        live = None
    again = replay(asking(*steps), transcript)
    assert live is None or again.samples == live.samples


def test_runs_share_an_account():
    async def both():
        ledger = Ledger({"generations": 10})
        meters = [Meter(None, CARDS, shared=[ledger]) for _ in range(3)]
        runs = [drive(asking(*[(ask(),)] * 8), Scripted(seconds=0.001), counting) for counting in meters]
        results = await asyncio.gather(*runs)
        return sum(len(result.samples) for result in results)

    assert asyncio.run(both()) == 10


def test_a_run_waits_for_what_another_holds_of_a_shared_account():
    long = Completion("Answer: 1", prompt_tokens=5, completion_tokens=10)

    async def both():
        ledger = Ledger({"tokens": 600})  # the most of one request leaves no room for a second in flight
        endpoint = Scripted(lambda _request, _number: (long,), seconds=0.02)
        runs = [
            drive(asking((Generate("small", ASKED),)), endpoint, Meter(None, CARDS, shared=[ledger])) for _ in range(3)
        ]
        results = await asyncio.gather(*runs)
        return endpoint.most_running, [len(result.samples) for result in results]

    assert asyncio.run(both()) == (1, [1, 1, 1])
