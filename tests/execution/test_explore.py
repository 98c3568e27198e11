"""A designed sweep: what is drawn first, what is not drawn again, and what a total leaves undone."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_endpoint import CARDS, Scripted

from planner.core import Arm, Budget, Completion, Conventions, Endpoint, Generate, Message, ModelCard, Run, Sample
from planner.errors import EndpointUnavailable, InvalidInput, NotReady, RequestRefused
from planner.execution.explore import Design, Question, Sweep, SweepReport, by_price, rounds
from planner.execution.explore.design import contested
from planner.execution.explore.purse import Purse
from planner.execution.lengths import Judging
from planner.execution.prices import Prices
from planner.execution.routed import RoutedEndpoint
from planner.execution.run_log import RunLog, recover
from planner.execution.runner import Runner
from planner.execution.verifiers import CallableVerifier, JudgeVerifier
from planner.store import Store

ALL_CARDS = CARDS | {"large": ModelCard(name="large", active_params=9e6), "other": ModelCard(name="other")}


def answering(request: Generate, number: int) -> tuple[Completion, ...]:
    """Two steps and an answer, right about half of the time, but for prompt 0, which is easy."""
    rng = random.Random(f"{request.seed} {number}")
    easy = request.messages[0].content == "How many? 0"
    return tuple(
        Completion(
            "one step\nanother\nAnswer: " + ("7" if easy or rng.random() < 0.5 else "8"),
            ended=True,
            prompt_tokens=5,
            completion_tokens=10,
        )
        for _ in range(request.n)
    )


def questions(n: int) -> list[Question]:
    texts = [f"How many? {i}" for i in range(n)]
    return [Question(text, f"p{i}", (Message("user", text),), "7", "fresh") for i, text in enumerate(texts)]


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(f"sqlite:///{tmp_path / 'planner.db'}") as opened:
        yield opened


def sweep(
    store: Store, endpoint: Endpoint, design: Design, n: int = 3, *, store_texts: bool = True, **options
) -> SweepReport:
    asked = options.pop("asked", None) or questions(n)

    async def run() -> SweepReport:
        log = RunLog(store, store_texts=store_texts)
        runner = Runner(endpoint, log, ALL_CARDS, default_extract="answer_line")
        return await Sweep(design, asked, runner, **options).run()

    return asyncio.run(run())


def lines() -> Scripted:
    return Scripted(reply=answering, conventions=Conventions(step_separator="\n"))


SMALL = Design(generators=("small",), samples=8)
FULL = Design(
    generators=("small", "large"), verifier="judge", revisers=("other",), searches=("beam_search",), samples=32
)


def test_a_little_of_every_arm_comes_before_more_of_any():
    arms = [(one.arm.generator, one.arm.search, one.arm.breadth, one.arm.depth) for one in rounds(FULL)]
    assert arms[:3] == [("small", "sampling", 4, 1), ("large", "sampling", 2, 1), ("other", "sampling", 1, 4)]
    assert arms[-1] == ("small", "sampling", 16, 1)


@given(st.integers(1, 200), st.integers(1, 60))
def test_the_batches_of_a_pool_add_up(samples: int, others: int):
    design = Design(generators=("small", "large"), samples=samples, other_samples=others)
    drawn = Counter[str]()
    for one in rounds(design):
        drawn[one.arm.generator] += one.arm.breadth
    assert drawn == {"small": samples, "large": others}


def test_more_samples_leave_the_batches_drawn_before_as_they_were():
    def of_few(design: Design) -> set[str]:
        return {one.run_id("p", design.seed) for one in rounds(design)}

    assert of_few(Design(generators=("small",), samples=32)) < of_few(Design(generators=("small",), samples=64))


@pytest.mark.parametrize("store_texts", [True, False])
def test_what_was_drawn_without_references_is_graded_once_they_are_there(store, store_texts):
    without = [replace(one, reference=None) for one in questions(3)]
    first = sweep(store, lines(), SMALL, asked=without, store_texts=store_texts)
    assert store.count().n_ungraded == first.n_samples
    endpoint = lines()
    again = sweep(store, endpoint, SMALL, store_texts=store_texts)
    assert (again.n_runs, again.n_known, again.import_id, endpoint.seen) == (0, first.n_runs, first.import_id, [])
    assert store.count().n_ungraded == 0
    for run in store.stream_runs():
        assert [one.correct for one in run.samples] == [float(one.answer == "7") for one in run.samples]
        assert (run.correct, run.reference) == (float(run.answer == "7"), "7")


def test_long_answers_that_are_kept_as_hashes_are_not_taken_for_wrong_ones(store):
    def long(request: Generate, number: int) -> tuple[Completion, ...]:
        said = Completion("Answer: " + "7" * 80, ended=True, prompt_tokens=5, completion_tokens=10)
        return (said,) * request.n

    asked = [replace(questions(1)[0], reference="7" * 80)]
    without = [replace(one, reference=None) for one in asked]
    sweep(store, Scripted(reply=long), SMALL, asked=without, store_texts=False)
    sweep(store, Scripted(reply=long), SMALL, asked=asked, store_texts=False)
    assert {one.correct for run in store.stream_runs() for one in run.samples} == {None}


def test_the_same_sweep_is_not_drawn_twice_at_once(store):
    async def both() -> tuple[SweepReport | BaseException, ...]:
        runs = []
        for _ in range(2):
            runner = Runner(replace(endpoint, seconds=0.05), RunLog(store), ALL_CARDS, default_extract="answer_line")
            runs.append(Sweep(SMALL, questions(3), runner).run())
        return tuple(await asyncio.gather(*runs, return_exceptions=True))

    endpoint = lines()
    first, second = asyncio.run(both())
    assert isinstance(second, NotReady)
    assert "is running already" in str(second)
    assert isinstance(first, SweepReport)
    assert store.count().n_samples == first.n_samples == len(endpoint.seen) * 4
    assert sweep(store, lines(), SMALL).n_known == first.n_runs


def test_searches_go_where_samples_differ_and_to_few_others():
    def run(prompt_id: str, *grades: float | None) -> Run:
        samples = tuple(Sample(chain=k, answer=str(k), correct=grade) for k, grade in enumerate(grades))
        return Run(run_id=prompt_id, prompt_id=prompt_id, generator="small", samples=samples)

    plain = [f"p{i}" for i in range(400)]
    logged = [run("mixed", 1, 0), run("ungraded", None, None), *(run(one, 1, 1) for one in plain)]
    chosen = contested(["mixed", "ungraded", *plain], logged, seed=0)
    assert chosen[:2] == ["mixed", "ungraded"]
    assert 20 <= len(chosen) - 2 <= 80


def test_models_are_put_in_order_of_price_else_of_size():
    assert by_price(["other", "large", "small"], {**ALL_CARDS, "small": ModelCard(name="small", active_params=1)}) == [
        "small", "large", "other",
    ]  # fmt: skip


def test_everything_drawn_is_graded_and_logged_with_its_text(store: Store):
    report = sweep(store, lines(), SMALL)
    assert (report.n_runs, report.n_samples, report.n_known, report.stopped) == (6, 24, 0, None)
    runs = list(store.stream_runs())
    assert all(sample.correct == (sample.answer == "7") and sample.text for run in runs for sample in run.samples)
    assert report.spent["tokens"] == 24 * 15
    (row,) = store.imports()
    assert (row.import_id, row.n_runs) == (report.import_id, 6)


def test_what_is_logged_is_not_drawn_again(store: Store):
    first = sweep(store, lines(), SMALL)
    again = lines()
    report = sweep(store, again, SMALL)
    assert (report.n_runs, report.n_known, again.seen) == (0, 6, [])
    assert report.spent == first.spent


def test_a_sweep_goes_on_where_it_was_broken_off(store: Store):
    async def broken_off() -> None:
        endpoint = lines()
        endpoint.seconds, endpoint.max_concurrency = 0.02, 1
        runner = Runner(endpoint, RunLog(store), ALL_CARDS, default_extract="answer_line")
        reached, answer = asyncio.Event(), endpoint.reply

        def reply(request: Generate, number: int) -> tuple[Completion, ...]:
            if number == 2:
                reached.set()
            return answer(request, number)

        endpoint.reply = reply
        sweeping = asyncio.create_task(Sweep(SMALL, questions(3), runner).run())
        await asyncio.wait_for(reached.wait(), 30)
        sweeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweeping

    asyncio.run(broken_off())
    report = sweep(store, lines(), SMALL)
    assert report.n_known >= 1
    assert report.n_runs + report.n_known == 6
    logs = store.read_logs()
    assert len(logs.samples) == 24


def test_a_sweep_that_was_killed_goes_on_and_what_it_had_spent_is_logged(store: Store, tmp_path: Path):
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_explore as t
def reply(request, number):
    if number == 4:
        os._exit(9)
    return t.answering(request, number)
endpoint = t.Scripted(reply=reply, max_concurrency=1)
with t.Store.open("sqlite:///{tmp_path / "planner.db"}") as store:
    t.sweep(store, endpoint, t.SMALL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 9
    assert recover(store) >= 1  # as whoever opens an endpoint does first
    report = sweep(store, lines(), SMALL)
    assert report.n_runs + report.n_known == 6
    assert len(store.read_logs().samples) == 24


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


def test_runs_that_fail_now_and_then_are_done_the_next_time(store: Store):
    def failing(request: Generate, number: int) -> tuple[Completion, ...]:
        if number == 2:
            raise EndpointUnavailable("away for lunch")
        return answering(request, number)

    endpoint = Scripted(reply=failing, max_concurrency=1)
    report = sweep(store, endpoint, SMALL)
    assert (report.n_runs, report.n_failed) == (5, 1)
    assert sweep(store, lines(), SMALL).n_runs == 1


def test_a_first_prompt_that_is_refused_does_not_end_the_sweep(store: Store):
    def refusing(request: Generate, number: int) -> tuple[Completion, ...]:
        if number == 0:
            raise RequestRefused("too long", code="context_length_exceeded")
        return answering(request, number)

    report = sweep(store, Scripted(reply=refusing, max_concurrency=1), SMALL)
    assert (report.n_runs, report.n_failed) == (5, 1)


def test_a_server_that_never_answers_ends_the_sweep(store: Store):
    def failing(request: Generate, number: int) -> tuple[Completion, ...]:
        raise EndpointUnavailable("gone")

    endpoint = Scripted(reply=failing, max_concurrency=1)
    with pytest.raises(EndpointUnavailable, match="gone"):
        sweep(store, endpoint, SMALL)
    assert len(endpoint.seen) == 1
    assert store.count().n_runs == 0


def test_rollouts_go_on_from_every_step_but_the_last(store: Store):
    from planner.formats.exports import PrmExport

    endpoint = lines()
    report = sweep(store, endpoint, SMALL, rollouts=3)
    rolled = [run for run in store.stream_runs() if run.search == "rollouts"]
    assert report.n_runs == 6 + len(rolled)
    assert {run.prompt_id for run in rolled} >= {"p1", "p2"}
    for run in rolled:
        assert Counter(sample.stage for sample in run.samples) == {1: 3, 2: 3}
        assert all((sample.text or "").startswith("one step\n") for sample in run.samples)
    prefixes = {request.prefix for request in endpoint.seen if request.prefix}
    assert prefixes == {"one step\n", "one step\nanother\n"}
    labels = [record["labels"] for record in PrmExport(min_rollouts=3).records(store.stream_runs())]
    assert len(labels) == len(rolled)
    assert all(len(one) == 3 for one in labels)


def test_rollouts_take_the_separator_that_the_answers_use(store: Store):
    sweep(store, Scripted(reply=answering), SMALL, rollouts=1)  # its convention is an empty line
    rolled = [run for run in store.stream_runs() if run.search == "rollouts"]
    assert {run.params["step_separator"] for run in rolled} == {"\n"}


def test_two_prompts_with_one_id_are_refused(store: Store):
    runner = Runner(lines(), RunLog(store), ALL_CARDS)
    with pytest.raises(InvalidInput, match="two prompts have one prompt_id"):
        Sweep(SMALL, [*questions(1), *questions(1)], runner)
