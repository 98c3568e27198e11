"""The total of a sweep: kept, counted over its parts, and known before anything is spent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_endpoint import CARDS, Scripted
from sweeping import SMALL, answering, lines, sweep

from planner.core import Arm, Budget, Completion, Conventions, Generate, Run
from planner.errors import InvalidInput
from planner.execution.explore import Design
from planner.execution.explore.purse import Purse
from planner.execution.lengths import Judging
from planner.execution.prices import Prices
from planner.execution.routed import RoutedEndpoint
from planner.execution.verifiers import CallableVerifier, JudgeVerifier
from planner.store import Store


@pytest.mark.parametrize(
    "total",
    [Budget(max_generations=50), Budget(max_tokens=2000), Budget(max_flops=4e9), Budget(max_usd=5e-3)],
    ids=["generations", "tokens", "flops", "usd"],
)
def test_a_total_is_kept_and_spent_on_whole_runs(store: Store, total: Budget):
    design = Design(generators=("small",), samples=32)
    report = sweep(store, lines(), design, n=12, total=total)
    ((unit, ceiling),) = total.ceilings.items()
    assert report.stopped == unit
    assert 0 < report.spent[unit] <= ceiling
    assert {run.search for run in store.stream_runs()} == {"sampling"}
    assert report.n_samples == sum(run.breadth for run in store.stream_runs())


def test_a_total_that_was_reached_is_not_spent_again(store: Store):
    design = Design(generators=("small", "large"), samples=8)
    total = Budget(max_flops=2.72e9)  # soon too little for more of large, and small goes on
    first = sweep(store, lines(), design, n=6, total=total)
    again = lines()
    report = sweep(store, again, design, n=6, total=total)
    assert first.stopped == "flops"
    assert (report.n_runs, again.seen) == (0, [])
    assert report.spent == pytest.approx(first.spent)


def test_what_is_on_the_bill_beside_the_tokens_of_a_log_counts_when_a_sweep_goes_on(store: Store):
    """As where a tree search goes on from its own steps: they are billed each time, and logged once."""

    def billed(request: Generate, number: int) -> tuple[Completion, ...]:
        return tuple(replace(one, billed_prompt_tokens=500) for one in answering(request, number))

    endpoint = Scripted(reply=billed, conventions=Conventions(step_separator="\n"))
    first = sweep(store, endpoint, SMALL, n=4, total=Budget(max_usd=1))
    again = sweep(store, endpoint, SMALL, n=4, total=Budget(max_usd=1))
    assert first.spent["usd"] == pytest.approx(first.spent["generations"] * (500 + 3 * 10) / 1e6)
    assert (again.n_runs, again.spent["usd"]) == (0, pytest.approx(first.spent["usd"]))


def test_a_larger_total_goes_on_with_the_sweep(store: Store):
    design = Design(generators=("small",), samples=8)
    sweep(store, lines(), design, total=Budget(max_generations=9))
    report = sweep(store, lines(), design, total=Budget(max_generations=1000))
    assert (report.n_known, report.n_runs, report.spent["generations"]) == (2, 4, 24)


def judging(request: Generate, number: int) -> tuple[Completion, ...]:
    """As `answering`, and verdicts of more tokens, and values of a tree's thoughts."""
    asked = request.messages[-1].content
    if "Judge" not in asked:
        return answering(request, number)
    said = "Value: 7" if "Value: n" in asked else "Verdict: correct"
    return (Completion(said, ended=True, prompt_tokens=20, completion_tokens=30),)


@pytest.mark.parametrize(
    ("design", "total"),
    [
        (Design(generators=("small",), verifier="small", samples=64), Budget(max_generations=400)),
        (Design(generators=("small",), verifier="small", samples=64), Budget(max_usd=0.03)),
        (
            Design(generators=("small",), samples=8, searches=("tree_of_thoughts",), tree_sizes=(4,)),
            Budget(max_generations=220),
        ),
    ],
    ids=["generations", "usd", "tree"],
)
def test_verdicts_that_were_written_before_count_in_the_total(store: Store, design: Design, total: Budget):
    ((unit, ceiling),) = total.ceilings.items()
    drawn: list[Completion] = []

    def reply(request: Generate, number: int) -> tuple[Completion, ...]:
        """Deeper trees draw more completions than they count."""
        own = judging(request, number)
        drawn.extend(own if unit == "usd" or not request.prefix else ())
        return own

    for _ in range(3):
        server = Scripted(reply=reply, conventions=Conventions(step_separator="\n"), max_concurrency=2)
        endpoint = RoutedEndpoint(server, {"small": JudgeVerifier(server, "small")})
        report = sweep(store, endpoint, design, n=20, total=total)
        usd = sum((one.prompt_tokens or 0) + 3 * (one.completion_tokens or 0) for one in drawn) / 1e6
        took = usd if unit == "usd" else len(drawn)
        assert report.stopped == unit
        assert 0.8 * ceiling < took <= ceiling
        assert report.spent[unit] == pytest.approx(took, rel=0.05)


def test_a_run_whose_process_was_killed_counts_what_it_may_have_drawn():
    purse = Purse(Prices(CARDS, judges={"critic": Judging()}), {"generations": 100})
    planned = Arm(generator="small", verifier="critic", selection="weighted_vote", breadth=8, depth=2)
    killed = {"generator": "small", "verifier": "critic", "search": "session", "prompt_id": "p", "prompt": "p"}
    params = {"planned": planned.model_dump(mode="json"), "interrupted": "its process ended"}
    purse.remember(Run(**killed, params=params, prompt_tokens=80, completion_tokens=90, verifier_calls=3))
    assert purse.spent["generations"] == 16 + 3
    purse.remember(Run(**killed, params=params, prompt_tokens=0, completion_tokens=0, verifier_calls=0))
    assert purse.spent["generations"] == 16 + 3


def test_an_unknown_price_is_named_before_anything_is_spent(store: Store):
    endpoint = lines()
    with pytest.raises(InvalidInput, match=r"'other' has no active_params"):
        sweep(store, endpoint, Design(generators=("other",)), total=Budget(max_flops=1e12))
    assert endpoint.seen == []


def test_a_verifier_that_costs_nothing_needs_no_price(store: Store):
    endpoint = RoutedEndpoint(lines(), {"fn": CallableVerifier(lambda _prompt, _answer: 0.5)})
    design = Design(generators=("small",), verifier="fn", samples=8)
    report = sweep(store, endpoint, design, total=Budget(max_usd=1, max_flops=1e12))
    assert (report.n_samples, report.stopped) == (24, None)
    assert report.spent["usd"] == pytest.approx(24 * (5 + 3 * 10) / 1e6)


def test_a_total_in_seconds_is_refused(store: Store):
    with pytest.raises(InvalidInput, match="generations, tokens, FLOPs or USD"):
        sweep(store, lines(), SMALL, total=Budget(max_latency_seconds=9))
