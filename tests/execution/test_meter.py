"""The meter: ceilings hold whatever comes back, holds are given back, and what is unknown stays unknown."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_endpoint import ASKED, CARDS, Scripted, ask, asking

from planner.core import Budget, Completion, ModelCard, Verdict, Verify
from planner.errors import EndpointUnavailable, InvalidInput
from planner.execution.driver import drive
from planner.execution.ledger import Ledger
from planner.execution.meter import Meter
from planner.strategies.pool import Interrupted


def completion(tokens: int | None = 10, prompt: int | None = 5, **members) -> Completion:
    return Completion("Answer: 1", prompt_tokens=prompt, completion_tokens=tokens, **members)


def settled(counting: Meter, request, reply) -> Meter:
    reservation = counting.reserve(request)
    assert reservation is not None
    counting.settle(reservation, reply)
    return counting


UNITS = {"max_tokens": 1500, "max_flops": 3e9, "max_usd": 0.004, "max_generations": 9}
STEPS = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=6), min_size=1, max_size=6)


@given(
    steps=STEPS,
    unit=st.sampled_from(sorted(UNITS)),
    scale=st.sampled_from([0.1, 1, 4]),
    seed=st.integers(0, 2**16),
    limit=st.sampled_from([None, 60, 400]),
)
def test_a_ceiling_is_passed_by_one_completion_at_most(steps, unit, scale, seed, limit):
    """Lengths are wild, requests fail; only `max_tokens`, where the meter or the search asks for it, is kept."""
    rng = random.Random(seed)
    costs: list[float] = []
    ceiling = UNITS[unit] * scale
    counting = Meter(Budget(**{unit: ceiling}), CARDS)

    def reply(request, _number):
        if rng.random() < 0.1:
            raise EndpointUnavailable("down")
        most = request.max_tokens or 5000
        drawn = [completion(min(most, int(rng.expovariate(1 / 150)) + 1), rng.randint(4, 9)) for _ in range(request.n)]
        costs.extend(cost_of(one, unit) for one in drawn)
        return tuple(drawn)

    search = asking(*[tuple(ask(n, max_tokens=limit) for n in step) for step in steps])
    try:
        asyncio.run(drive(search, Scripted(reply), counting))
    except EndpointUnavailable:
        assert counting.cost.generations == 0
    spent = counting.cost.in_unit(unit.removeprefix("max_"))
    assert spent == pytest.approx(sum(costs))
    assert spent <= ceiling + max(costs, default=0)


def cost_of(one: Completion, unit: str) -> float:
    tokens = one.prompt_tokens + one.completion_tokens
    usd = (one.prompt_tokens + 3 * one.completion_tokens) / 1e6
    return {"max_tokens": tokens, "max_flops": 2e6 * tokens, "max_usd": usd, "max_generations": 1}[unit]


@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_all_holds_are_given_back(steps, seed):
    rng = random.Random(seed)
    ledger = Ledger({"tokens": 2000, "generations": 50})
    counting = Meter(None, CARDS, shared=[ledger])

    def reply(request, _number):
        if rng.random() < 0.3:
            raise EndpointUnavailable("down")
        return tuple(completion(rng.randint(1, 300)) for _ in range(request.n))

    try:
        asyncio.run(drive(asking(*[tuple(map(ask, step)) for step in steps]), Scripted(reply), counting))
    except EndpointUnavailable:
        assert counting.is_empty
    assert ledger.in_flight == 0
    assert ledger.room("tokens") == pytest.approx(2000 - counting.cost.tokens, abs=0.01)
    assert ledger.room("generations") == pytest.approx(50 - counting.cost.generations, abs=0.01)


def test_a_request_is_cut_to_the_completions_that_fit():
    reservation = Meter(Budget(max_generations=5), CARDS).reserve(ask(16))
    assert (reservation.request.n, reservation.request.generations) == (5, 5)


def test_verdicts_are_cut_to_the_candidates_that_fit():
    counting = Meter(Budget(max_tokens=1000), CARDS)
    settled(counting, Verify("judge", ASKED, ("x" * 400,)), (Verdict(0.5, tokens=100),))
    reservation = counting.reserve(Verify("judge", ASKED, ("x" * 400,) * 20))
    assert 5 <= len(reservation.request.candidates) <= 9


def test_what_does_not_fit_at_all_is_refused():
    counting = settled(Meter(Budget(max_generations=1), CARDS), ask(), (completion(),))
    with pytest.raises(Interrupted, match="1 generations is reached"):
        counting.reserve(ask())


def test_with_room_to_spare_lengths_are_not_limited():
    assert Meter(Budget(max_tokens=1_000_000), CARDS).reserve(ask(4)).request.max_tokens is None


def test_near_a_ceiling_lengths_are_limited():
    assert Meter(Budget(max_tokens=3000), CARDS).reserve(ask(4)).request.max_tokens is not None


def test_what_scoring_takes_is_kept_for_it():
    def drawn(verified_by):
        counting = Meter(Budget(max_tokens=1000), CARDS, completion_tokens=50, verified_by=verified_by)
        n = 0
        while True:
            try:
                settled(counting, ask(), (completion(45),))
            except Interrupted:
                return n, counting
            n += 1

    alone, _ = drawn({})
    scored, counting = drawn({"small": "judge"})
    assert scored < alone
    for _ in range(scored):
        settled(counting, Verify("judge", ASKED, ("Answer: 1",)), (Verdict(0.5, tokens=50),))


@pytest.mark.parametrize(
    ("budget", "card", "field"),
    [
        (Budget(max_flops=1e9), ModelCard(name="small"), "active_params"),
        (Budget(max_usd=1), ModelCard(name="small", usd_per_million_prompt_tokens=1), "completion_tokens"),
    ],
)
def test_a_ceiling_that_cannot_be_known_is_refused_before_anything_is_spent(budget, card, field):
    with pytest.raises(InvalidInput, match=field):
        Meter(budget, {"small": card}).reserve(ask())


def test_without_a_price_the_cost_in_usd_is_unknown_and_not_nothing():
    cost = settled(Meter(None, {}), ask(), (completion(),)).cost
    assert (cost.usd, cost.flops, cost.tokens) == (None, None, 15)


def test_a_count_that_did_not_come_is_unknown_and_still_held_against_the_ceiling():
    counting = Meter(Budget(max_tokens=1000), CARDS)
    result = asyncio.run(drive(asking(*[(ask(),)] * 100), Scripted(lambda *_: (completion(None, None),)), counting))
    assert 1 < len(result.samples) < 100
    assert counting.cost.completion_tokens is None


def test_cached_tokens_are_billed_and_not_processed():
    cost = settled(Meter(None, CARDS), ask(), (completion(10, 100, cached_tokens=90),)).cost
    assert cost.flops == 2e6 * 20
    assert cost.usd == pytest.approx(130e-6)
    assert cost.tokens == 110


def test_a_chain_that_goes_on_is_not_charged_again_for_what_was_cached_of_it():
    meter = Meter(None, CARDS)
    settled(meter, ask(), (completion(10, 100),))
    cost = settled(meter, replace(ask(), prefix="step\n"), (completion(10, 110, cached_tokens=105),)).cost
    assert (cost.prompt_tokens, cost.tokens) == (105, 125)
    assert cost.flops == 2e6 * 125
    assert cost.usd == pytest.approx((210 + 3 * 20) / 1e6)


def test_a_chain_whose_steps_are_cached_goes_on_under_a_ceiling_that_holds_them_once():
    meter = Meter(Budget(max_tokens=1000), CARDS)
    server = Scripted(lambda *_: (completion(10, 400, cached_tokens=400),))
    step = replace(ask(), prefix="step\n" * 100)
    result = asyncio.run(drive(asking(*[(step,)] * 50), server, meter))
    assert len(result.samples) == 50
    assert meter.cost.tokens == 500


def test_the_bill_holds_the_prompt_of_several_choices_once():
    reply = (completion(10, 100, billed_prompt_tokens=100), completion(10, 100, billed_prompt_tokens=0))
    cost = settled(Meter(None, CARDS), ask(2), reply).cost
    assert cost.usd == pytest.approx((100 + 3 * 20) / 1e6)
    assert cost.prompt_tokens == 200


def test_usage_is_told_by_model():
    counting = settled(Meter(None, CARDS), ask(2), (completion(), completion()))
    settled(counting, Verify("judge", ASKED, ("a", "b")), (Verdict(0.1, tokens=7), Verdict(0.2, tokens=8)))
    assert [tuple(one.model_dump().values()) for one in counting.usage] == [("small", 1, 10, 20), ("judge", 1, 15, 0)]
    assert counting.verdicts == 2


def test_a_verdict_that_is_written_counts_a_generation():
    counting = Meter(Budget(max_generations=2), CARDS)
    for _ in range(2):
        settled(counting, Verify("judge", ASKED, ("a",)), (Verdict(1.0, tokens=5, generations=1.0),))
    with pytest.raises(Interrupted):
        counting.reserve(Verify("judge", ASKED, ("a",)))


def test_functions_and_commands_cost_nothing():
    counting = Meter(Budget(max_flops=1e9), CARDS, free={"tests"})
    settled(counting, Verify("tests", ASKED, ("a",)), (Verdict(1.0, tokens=0),))
    assert counting.cost.flops == 0


def test_the_latency_ceiling_follows_the_clock():
    now = [100.0]
    counting = Meter(Budget(max_latency_seconds=5), CARDS, clock=lambda: now[0])
    now[0] = 104.0
    assert counting.remaining_seconds == 1.0
    assert counting.cost.latency_seconds == 4.0
    now[0] = 105.0
    with pytest.raises(Interrupted, match="5 seconds"):
        counting.reserve(ask())


def test_a_stop_text_of_the_caller_s_does_not_make_steps_of_whole_answers():
    def granted(**members):
        reservation = Meter(Budget(max_tokens=6000), CARDS, completion_tokens=600).reserve(ask(8, **members))
        assert reservation is not None
        return reservation

    plain, stopped = granted(), granted(stop=("END",), ends_answer=True)
    assert stopped.request.max_tokens == plain.request.max_tokens > 600
    assert (stopped.most, stopped.expected) == (plain.most, plain.expected)
    assert granted(stop=("\n\n",)).expected.completion < plain.expected.completion
