"""A designed sweep: what is drawn first, and what is not drawn again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_endpoint import Scripted
from sweeping import ALL_CARDS, SMALL, answering, lines, questions, sweep

from planner.core import Completion, Generate, ModelCard, Run, Sample, Verdict, Verify
from planner.errors import (
    EndpointRejected,
    EndpointUnavailable,
    InvalidInput,
    NotReady,
    RequestRefused,
    UnknownStrategy,
)
from planner.execution.explore import Design, Sweep, SweepReport, by_price, rounds
from planner.execution.explore.design import contested
from planner.execution.run_log import RunLog, recover
from planner.execution.runner import Runner
from planner.store import Store

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
import sweeping as t
from scripted_endpoint import Scripted
from planner.store import Store
def reply(request, number):
    if number == 4:
        os._exit(9)
    return t.answering(request, number)
endpoint = Scripted(reply=reply, max_concurrency=1)
with Store.open("sqlite:///{tmp_path / "planner.db"}") as store:
    t.sweep(store, endpoint, t.SMALL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 9
    assert recover(store) >= 1  # as whoever opens an endpoint does first
    report = sweep(store, lines(), SMALL)
    assert report.n_runs + report.n_known == 6
    assert len(store.read_logs().samples) == 24


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


def test_a_verifier_that_never_answers_ends_the_sweep(store: Store):
    """Answers that nobody scored are no samples of the arm: every prompt would be billed for nothing."""

    def failing(request: Verify, number: int) -> tuple[Verdict, ...]:
        raise EndpointRejected("there is no such model")

    endpoint = Scripted(reply=answering, score=failing, max_concurrency=1)
    with pytest.raises(EndpointRejected, match="no such model"):
        sweep(store, endpoint, replace(SMALL, verifier="judge"))
    assert len(endpoint.seen) == 2
    (run,) = store.stream_runs()
    assert run.completion_tokens == 40


@pytest.mark.parametrize("store_texts", [True, False])
def test_without_texts_no_words_of_a_refusal_are_kept(store: Store, store_texts):
    def refusing(request: Verify, number: int) -> tuple[Verdict, ...]:
        raise EndpointRejected("it is asked: How many? 0")

    endpoint = Scripted(reply=answering, score=refusing, max_concurrency=1)
    with pytest.raises(EndpointRejected):
        sweep(store, endpoint, replace(SMALL, verifier="judge"), store_texts=store_texts)
    (run,) = store.stream_runs()
    assert run.params["interrupted"] == ("it is asked: How many? 0" if store_texts else "EndpointRejected")


def test_verdicts_that_fail_now_and_then_count_as_failures(store: Store):
    def failing(request: Verify, number: int) -> tuple[Verdict, ...]:
        if number == 3:
            raise EndpointUnavailable("away for lunch")
        return tuple(Verdict(0.5, tokens=20) for _ in request.candidates)

    report = sweep(store, Scripted(reply=answering, score=failing, max_concurrency=1), replace(SMALL, verifier="judge"))
    assert (report.n_runs, report.n_failed, report.stopped) == (5, 1, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": "a\0b"},
        {"prompt": "\ud800"},
        {"prompt_id": "a\0b"},
        {"dataset": "\ud800"},
        {"reference": "\0"},
        {"metadata": {"tags": {1, 2}}},
        {"metadata": {"level": float("nan")}},
    ],
)
def test_what_no_store_can_keep_is_found_before_anything_is_spent(store: Store, wrong):
    """It would end the sweep with what is under way paid for and lost, and what it leaves behind every later one."""
    endpoint = lines()
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        sweep(store, endpoint, SMALL, asked=[*questions(2), replace(questions(3)[2], **wrong)])
    assert not endpoint.seen
    assert sweep(store, endpoint, SMALL).n_runs == 6


def test_what_is_not_known_is_found_before_anything_is_spent(store: Store):
    endpoint = lines()
    with pytest.raises(UnknownStrategy, match="'beam'"):
        sweep(store, endpoint, replace(SMALL, verifier="judge", searches=("beam",)))
    for name in ("extract", "grade"):
        asked = [*questions(2), replace(questions(3)[2], **{name: "nobody"})]
        with pytest.raises(InvalidInput, match="nobody"):
            sweep(store, endpoint, SMALL, asked=asked)
    assert not endpoint.seen


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
