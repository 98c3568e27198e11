"""The runner: every run is read, graded and logged, with its real cost, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from scripted_endpoint import ASKED, CARDS, Scripted, plain

from planner.core import Arm, Budget, Completion, Cost, Difficulty, Forecast, Recommendation, Verdict
from planner.errors import EndpointUnavailable, InvalidInput
from planner.execution.job import Job
from planner.execution.routed import RoutedEndpoint
from planner.execution.run_log import RunLog, journal_folder, recover
from planner.execution.runner import Runner
from planner.execution.verifiers import CallableVerifier
from planner.store import Store
from planner.store.rows import text_hash
from planner.texts.kept import HashedText
from planner.texts.sketch import sketch

MAJORITY = Arm(generator="small", selection="majority_vote", breadth=4)
BEST = Arm(generator="small", verifier="judge", selection="best_of_n", breadth=4)


def plan(arm: Arm = MAJORITY, budget: Budget | None = None) -> Recommendation:
    cost = Cost(generations=4, prompt_tokens=20, completion_tokens=40, verifier_tokens=0)
    return Recommendation(
        recommendation_id="r1",
        prompt_id="p1",
        budget=budget,
        arm=arm,
        forecast=Forecast(
            accuracy=0.5, accuracy_low=0.4, accuracy_high=0.6, cost=cost, cost_worst=cost, n_prompts=1, n_runs=4
        ),
        difficulty=Difficulty(pass_rate=0.5, bin_probabilities=(1.0,), most_likely_bin=1, source="prior"),
        reason="because",
        policy_id="none",
        propensity=0.25,
    )


def job(arm: Arm = MAJORITY, budget: Budget | None = None, **members) -> Job:
    return Job(plan(arm, budget), "How many?", ASKED, **members)


def said(*answers: str, status: str = "stop"):
    def reply(request, number):
        return tuple(
            Completion(answers[(number + i) % len(answers)], status, prompt_tokens=5, completion_tokens=10)
            for i in range(request.n)
        )

    return reply


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'planner.db'}") as opened:
        yield opened


def carried(store, work: Job, endpoint=None, *, store_texts=True, **options):
    async def run():
        log = RunLog(store, store_texts=store_texts)
        try:
            return await Runner(endpoint or Scripted(), log, CARDS, **options).run(work)
        finally:
            await log.close()

    return asyncio.run(run())


def logged(store):
    return list(store.stream_runs())


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


KILLED = textwrap.dedent("""
    import asyncio, os, signal, sys
    sys.path.insert(0, {folder!r})
    from test_runner import Arm, CARDS, RunLog, Runner, Scripted, Store, job, plain

    def reply(request, number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(request, number)

    store = Store.open({url!r})
    log = RunLog(store, store_texts={texts!r})
    arm = Arm(generator="small", selection="last", depth=50)
    asyncio.run(Runner(Scripted(reply), log, CARDS).run(job(arm)))
""")


def kill_in_the_middle(store, *, texts: bool) -> None:
    script = KILLED.format(folder=str(Path(__file__).parent), url=str(store.database.url), texts=texts)
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.parametrize("texts", [True, False])
def test_what_a_killed_process_spent_is_logged_by_the_next(store, texts):
    kill_in_the_middle(store, texts=texts)
    assert logged(store) == []
    journals = list(journal_folder(store).glob("*.jsonl"))
    assert len(journals) == 1
    assert (b"How many?" in journals[0].read_bytes()) == texts
    assert recover(store, store_texts=texts) == 1
    (run,) = logged(store)
    assert (run.status, run.search, run.completion_tokens, run.prompt_id) == ("error", "session", 30, "p1")
    assert run.prompt == ("How many?" if texts else None)
    kept = "How many?" if texts else HashedText(text_hash("How many?"), sketch("How many?"))
    assert store.read_logs().prompts.texts == (kept,)
    assert run.params["interrupted"] == "its process ended"
    assert list(journal_folder(store).glob("*.jsonl")) == []
    assert recover(store) == 0


def test_a_journal_of_a_process_that_lives_is_left_alone(store):
    async def run():
        log = RunLog(store)
        work = asyncio.create_task(Runner(Scripted(seconds=0.05), log, CARDS).run(job()))
        await asyncio.sleep(0.02)
        assert recover(store) == 0
        await work
        await log.close()

    asyncio.run(run())
    assert len(logged(store)) == 1


def test_a_line_that_was_being_written_is_passed_over(store):
    kill_in_the_middle(store, texts=True)
    (path,) = journal_folder(store).glob("*.jsonl")
    lines = path.read_bytes()
    path.write_bytes(lines + b"\n" + json.dumps({"id": "x", "spent": {}}).encode()[:9])
    assert recover(store) == 1
    assert logged(store)[0].completion_tokens == 30


def test_the_journal_is_only_the_users_to_read(store):
    log = RunLog(store)
    log.begin(job_line())
    (path,) = journal_folder(store).glob("*.jsonl")
    assert path.stat().st_mode & 0o077 == 0
    asyncio.run(log.close())


def job_line():
    from planner.core import Run

    return Run(run_id="x", prompt_id="p", prompt="How many?", generator="small", status="error")


def test_scores_are_logged_with_their_samples(store):
    def score(request, _number):
        return tuple(Verdict(0.25, step_scores=(0.5, 0.25), tokens=9) for _ in request.candidates)

    carried(store, job(BEST), Scripted(said("Answer: 1"), score))
    (run,) = logged(store)
    assert {(one.score, one.score_min, one.verifier, one.verifier_tokens) for one in run.samples} == {
        (0.25, 0.25, "judge", 9)
    }
    assert run.verifier_calls == 4
