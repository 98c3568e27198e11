"""The runner: every run is read, graded and logged, with its real cost, whatever becomes of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pytest
from carrying import BEST, carried, job, logged, plan, said
from scripted_endpoint import ASKED, CARDS, Scripted, plain

from planner.core import Arm, Budget, Verdict
from planner.errors import EndpointRejected, EndpointUnavailable, InvalidInput
from planner.execution.job import Job
from planner.execution.routed import RoutedEndpoint
from planner.execution.run_log import RunLog
from planner.execution.runner import Runner
from planner.execution.verifiers import CallableVerifier


def test_a_run_is_logged_as_the_outcome_of_its_arm(store):
    result = carried(store, job(reference="1"), Scripted(said("Answer: 1", "Answer: 2", "Answer: 1")))
    (run,) = logged(store)
    assert (run.search, run.selection, run.breadth, run.depth, run.params) == ("sampling", "majority_vote", 4, 1, {})
    assert (run.run_id, run.prompt_id, run.prompt, run.reference) == (result.run_id, "p1", "How many?", "1")
    assert (run.answer, run.correct, run.status) == ("1", 1.0, "ok")
    assert (run.prompt_tokens, run.completion_tokens, run.verifier_tokens) == (20, 40, 0)
    assert run.usd == pytest.approx((20 + 3 * 40) / 1e6)
    assert (run.recommendation_id, run.propensity) == ("r1", 0.25)
    assert [one.correct for one in run.samples] == [1.0, 0.0, 1.0, 1.0]
    assert [one.text for one in run.samples] == ["Answer: 1", "Answer: 2", "Answer: 1", "Answer: 1"]


def test_the_result_tells_answer_text_cost_usage_plan_and_stages(store):
    result = carried(store, job(BEST), Scripted(said("so\nAnswer: 7")))
    assert (result.answer, result.text, result.correct, result.status) == ("7", "so\nAnswer: 7", None, "ok")
    assert (result.cost.generations, result.cost.verifier_tokens) == (4, 80)
    assert [one.model for one in result.usage] == ["small", "judge"]
    assert result.plan.arm == BEST
    assert result.probes == 0
    assert [stage["n"] for stage in result.stages] == [4]


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({}, "1"), ({"metadata": {"extract": "last_number"}}, "3"), ({"dataset": "math"}, "2"),
        ({"dataset": "math", "metadata": {"extract": "last_number"}}, "3"),
        ({"dataset": "math", "metadata": {"extract": "last_number"}, "extract": "text"}, r"Answer: 1 \boxed{2} 3"),
    ],
)  # fmt: skip
def test_the_extractor_is_the_runs_then_the_prompts_then_the_data_sets(store, given, answer):
    text = "Answer: 1\n\\boxed{2} 3"
    result = carried(store, job(**given), Scripted(said(text)), datasets={"math": {"extract": "boxed"}})
    assert result.answer == answer


def test_an_unknown_extractor_or_grader_is_refused_before_anything_is_spent(store):
    endpoint = Scripted()
    for wrong in ({"extract": "nonsense"}, {"grade": "nonsense", "reference": "1"}, {"metadata": {"extract": 3}}):
        with pytest.raises(InvalidInput):
            carried(store, job(**wrong), endpoint)
    assert endpoint.seen == []
    assert logged(store) == []


def test_a_ceiling_whose_price_is_unknown_is_refused_before_anything_is_spent(store):
    endpoint = Scripted()
    with pytest.raises(InvalidInput, match="active_params"):
        carried(store, job(Arm(generator="nobody"), Budget(max_flops=1e9)), endpoint)
    assert endpoint.seen == []
    assert logged(store) == []


def test_a_run_that_hits_its_ceiling_answers_and_is_no_outcome_of_its_arm(store):
    result = carried(store, job(budget=Budget(max_generations=2)))
    (run,) = logged(store)
    assert (result.answer, result.status) == ("0", "truncated")
    assert "2 generations" in result.reason
    assert (run.search, run.status, len(run.samples)) == ("session", "truncated", 2)
    assert run.params["planned"]["breadth"] == 4
    assert "2 generations" in run.params["interrupted"]


def test_an_endpoint_that_fails_in_the_middle_leaves_what_it_cost(store):
    def reply(request, number):
        if number == 1:
            raise EndpointUnavailable("down")
        return plain(request, number)

    deep = Arm(generator="small", selection="last", depth=3)
    result = carried(store, job(deep), Scripted(reply))
    (run,) = logged(store)
    assert (result.status, result.reason, run.completion_tokens) == ("truncated", "down", 10)


def test_a_run_without_any_answer_is_an_error_that_is_logged(store):
    def reply(_request, _number):
        raise EndpointUnavailable("the server is down")

    with pytest.raises(EndpointUnavailable):
        carried(store, job(), Scripted(reply))
    (run,) = logged(store)
    assert (run.status, run.answer, run.correct, run.search) == ("error", None, None, "session")


def test_a_cancelled_run_is_logged_with_what_it_spent(store):
    async def cancelled():
        log = RunLog(store)
        endpoint = Scripted(said("Answer: 1"), seconds=0.05)
        runner = Runner(endpoint, log, CARDS)
        task = asyncio.create_task(runner.run(job(Arm(generator="small", selection="last", depth=50))))
        await asyncio.sleep(0.18)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await log.close()

    asyncio.run(cancelled())
    (run,) = logged(store)
    assert run.status == "error"
    assert run.completion_tokens >= 20


def test_many_runs_are_one_import_or_few_and_none_is_missing(store):
    async def run_all():
        log = RunLog(store)
        runner = Runner(Scripted(seconds=0.001), log, CARDS)
        await asyncio.gather(*(runner.run(job()) for _ in range(60)))
        await log.close()

    asyncio.run(run_all())
    assert len(logged(store)) == 60
    assert len(store.imports()) <= 3


def test_a_run_is_in_the_store_within_a_second(store):
    async def run():
        log = RunLog(store)
        await Runner(Scripted(), log, CARDS).run(job())
        await asyncio.sleep(0.9)
        found = len(logged(store))
        await log.close()
        return found

    assert asyncio.run(run()) == 1


def test_without_texts_none_is_kept(store):
    carried(store, job(reference="1"), Scripted(said("the secret\nAnswer: 1")), store_texts=False)
    (run,) = logged(store)
    assert run.prompt is None
    assert {one.text for one in run.samples} == {None}
    files = [path for path in store.database.path.parent.rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in files)


@pytest.mark.parametrize("fails_at", [0, 1])
def test_without_texts_no_words_of_a_refusal_are_kept(store, fails_at):
    """Servers say in their refusals what they were asked."""

    def reply(request, number):
        if number == fails_at:
            raise EndpointRejected('answered 422: {"input": "the secret"}')
        return plain(request, number)

    with suppress(EndpointRejected):
        result = carried(
            store, job(Arm(generator="small", selection="last", depth=3)), Scripted(reply), store_texts=False
        )
        assert "secret" in result.reason
    (run,) = logged(store)
    assert run.params["interrupted"] == "EndpointRejected"


def test_without_texts_it_is_kept_which_ceiling_ended_a_run(store):
    carried(store, job(budget=Budget(max_generations=2)), store_texts=False)
    (run,) = logged(store)
    assert "2 generations" in run.params["interrupted"]


def test_a_prompt_id_that_stands_for_another_text_loses_no_run(store):
    carried(store, job())
    other = Job(plan(), "How few?", ASKED)
    carried(store, other)
    runs = logged(store)
    assert len(runs) == 2
    assert {run.prompt for run in runs} == {"How many?", "How few?"}


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_prompt_that_no_store_can_keep_is_refused(text):
    with pytest.raises(InvalidInput, match="prompt"):
        Job(plan(), text, ASKED)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("field", ["prompt_id", "dataset", "reference", "metadata"])
def test_what_is_known_of_a_prompt_is_refused_where_no_store_can_keep_it(field, text):
    planned = plan().model_copy(update={"prompt_id": text}) if field == "prompt_id" else plan()
    known = {} if field == "prompt_id" else {field: {"tags": ["x", text]} if field == "metadata" else text}
    with pytest.raises(InvalidInput, match=f"^{field}: holds"):
        Job(planned, "How many?", ASKED, **known)


@pytest.mark.parametrize("value", [{1, 2}, object(), np.int64(3), datetime.now(UTC)])
def test_metadata_that_are_no_json_are_refused(value):
    with pytest.raises(InvalidInput, match="metadata: holds what is no JSON"):
        job(metadata={"tags": value})


def test_metadata_that_is_nested_too_deeply_is_refused():
    deep: dict = {}
    for _ in range(5_000):
        deep = {"in": deep}
    with pytest.raises(InvalidInput, match="metadata: is nested too deeply"):
        job(metadata=deep)


def test_a_function_as_verifier_costs_nothing_under_a_ceiling_in_flops(store):
    endpoint = RoutedEndpoint(Scripted(said("Answer: 1", "Answer: 2")), {"judge": CallableVerifier(longest)})
    result = carried(store, job(BEST, Budget(max_flops=1e9)), endpoint)
    assert result.answer == "2"
    assert (result.cost.verifier_tokens, result.cost.flops) == (0, 2e6 * 60)


def longest(_prompt: str, answer: str) -> float:
    return 1.0 if answer.endswith("2") else 0.0


def test_a_verifier_that_fails_leaves_the_answers_to_a_vote(store):
    def broken(_request, _number):
        raise EndpointUnavailable("no verifier")

    result = carried(store, job(BEST), Scripted(said("Answer: 1", "Answer: 2", "Answer: 2", "Answer: 2"), broken))
    assert (result.answer, result.status, result.reason) == ("2", "truncated", "no verifier")


def test_a_grader_that_fails_leaves_the_run_logged_and_ungraded(store):
    with pytest.raises(InvalidInput, match="failed"):
        carried(store, job(reference="1", grade="operator:truediv"))
    (run,) = logged(store)
    assert (run.answer, run.correct) == ("0", None)


def test_scores_are_logged_with_their_samples(store):
    def score(request, _number):
        return tuple(Verdict(0.25, step_scores=(0.5, 0.25), tokens=9) for _ in request.candidates)

    carried(store, job(BEST), Scripted(said("Answer: 1"), score))
    (run,) = logged(store)
    assert {(one.score, one.score_min, one.verifier, one.verifier_tokens) for one in run.samples} == {
        (0.25, 0.25, "judge", 9)
    }
    assert run.verifier_calls == 4
