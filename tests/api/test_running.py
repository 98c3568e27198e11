"""Carrying out by the facade: from a prompt, or a plan, to a logged result."""

from __future__ import annotations

import asyncio
import time

import pytest
from loopback import LoopbackModels

from planner import Arm, Budget, Planner
from planner.api.endpoints import open_endpoint
from planner.api.running import MOST_PROMPTS
from planner.errors import EndpointError, EndpointUnavailable, InvalidInput, PlannerError, RequestRefused
from planner.execution.driver import drive
from planner.execution.meter import Meter
from planner.execution.session import session

PROMPT = "Start with 11. Multiply by 5. How many now?"
ONE = Arm(generator="lab-small")


@pytest.fixture
def opened(home):
    with Planner.open() as planner:
        yield planner


@pytest.fixture
def models():
    with LoopbackModels() as served:
        yield served


def test_a_prompt_is_planned_for_carried_out_graded_and_logged(opened, models):
    result = opened.run(PROMPT, Budget(max_generations=4), endpoint=models.url, reference="55", prompt_id="q1")
    assert (result.answer, result.correct, result.status, result.prompt_id) == ("55", 1.0, "ok", "q1")
    (run,) = [run for run in opened.store.stream_runs() if run.run_id == result.run_id]
    assert run.recommendation_id == result.plan.recommendation_id
    assert run.correct == 1.0
    assert run.completion_tokens == result.cost.completion_tokens


def test_a_plan_is_carried_out_as_it_is_without_adapting(opened, models):
    plan = opened.recommend(PROMPT, arm=Arm(generator="lab-small", selection="majority_vote", breadth=4))
    result = opened.run(plan, endpoint=models.url, adapt=False)
    assert result.plan == plan
    assert result.cost.generations == 4
    (run,) = [run for run in opened.store.stream_runs() if run.run_id == result.run_id]
    assert (run.search, run.breadth, run.selection) == ("sampling", 4, "majority_vote")


def test_a_plan_of_another_process_needs_its_prompt(opened, models):
    plan = opened.recommend(PROMPT, arm=ONE)
    with Planner.open() as other:
        with pytest.raises(InvalidInput, match="prompt="):
            other.run(plan, endpoint=models.url)
        assert other.run(plan, endpoint=models.url, prompt=PROMPT).prompt_id == plan.prompt_id


def test_the_conversation_is_sent_as_it_was_given(opened, models):
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
    opened.run(chat, arm=ONE, endpoint=models.url)
    assert next(one for one in models.seen if "messages" in one)["messages"] == chat


def test_the_configured_endpoint_is_the_default(opened, models, monkeypatch):
    with pytest.raises(InvalidInput, match="PLANNER_ENDPOINT_URL"):
        opened.run(PROMPT, arm=ONE)
    monkeypatch.setenv("PLANNER_ENDPOINT_URL", models.url)
    with Planner.open() as configured:
        assert configured.run(PROMPT, arm=ONE).answer == "55"


def test_the_lab_is_an_endpoint(opened):
    result = opened.run(PROMPT, Budget(max_generations=2), endpoint="lab", reference="55", seed=1)
    assert result.status == "ok"
    assert result.usage[0].model.startswith("lab-")


def test_the_lab_runs_as_many_side_by_side_as_it_is_told(opened):
    assert open_endpoint("lab", opened.settings, max_concurrency=3).max_concurrency == 3
    assert open_endpoint("lab", opened.settings).max_concurrency > MOST_PROMPTS


def test_an_endpoint_of_ones_own_is_not_closed(opened):
    closed = []

    class Own:
        name = "own"
        max_concurrency = 4

        def __init__(self):
            from planner.core import Conventions

            self.conventions = Conventions()

        async def generate(self, request):
            from planner.core import Completion

            return tuple(Completion("Answer: 1", prompt_tokens=1, completion_tokens=1) for _ in range(request.n))

        async def aclose(self):
            closed.append(1)

    assert opened.run(PROMPT, arm=ONE, endpoint=Own()).answer == "1"
    assert closed == []


def test_a_batch_gives_results_in_order_and_errors_as_values(opened, models):
    prompts = [{"prompt": f"Start with {i}. Add 3. How many now?", "prompt_id": f"p{i}"} for i in range(12)]
    results = opened.run_batch([*prompts, "a\0b"], Budget(max_generations=2), endpoint=models.url)
    assert [result.prompt_id for result in results[:-1]] == [f"p{i}" for i in range(12)]
    assert isinstance(results[-1], PlannerError)


def test_prompts_of_a_batch_run_side_by_side_within_the_limit(opened):
    with LoopbackModels(seconds=0.1) as models:
        start = time.perf_counter()
        prompts = [f"Start with {i}. Add 3. How many now?" for i in range(12)]
        opened.run_batch(prompts, arm=ONE, endpoint=models.url, max_concurrency=6)
        assert time.perf_counter() - start < 1.1
        assert 2 <= models.most_at_once <= 6


def test_a_total_is_kept_over_a_batch(opened, models):
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(12)]
    results = opened.run_batch(prompts, total=Budget(max_generations=20), endpoint=models.url)
    spent = [result.cost.generations for result in results if not isinstance(result, PlannerError)]
    assert 0 < sum(spent) <= 20


def test_a_total_leaves_something_for_every_prompt_of_a_batch(opened, models):
    models.answer = lambda _body, place: f"Answer: {place}"
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(12)]
    results = opened.run_batch(prompts, total=Budget(max_tokens=3000), endpoint=models.url, max_concurrency=2)
    assert [result.answer is not None for result in results] == [True] * 12


@pytest.mark.parametrize("completion_tokens", [10, 800])
def test_an_average_over_a_batch_is_corrected_as_spending_shows(opened, monkeypatch, completion_tokens):
    given = []

    def seen(task, *, budget, **options):
        given.append(budget)
        return session(task, budget=budget, **options)

    monkeypatch.setattr("planner.api.running.session", seen)
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(40)]
    budget = Budget(mean_tokens=150, max_generations=8)
    with LoopbackModels(completion_tokens=completion_tokens) as models:
        results = opened.run_batch(prompts, budget, endpoint=models.url, max_concurrency=1)
    costs, means = [result.cost.tokens for result in results], [one.mean[1] for one in given]
    overspends = completion_tokens > 150
    assert min(costs) > 150 if overspends else max(costs) < 150
    assert means[0] == 150
    assert means == sorted(means, reverse=overspends)
    assert 74 < means[-1] < 120 if overspends else 180 < means[-1] < 303
    assert {one.max_generations for one in given} == {8}
    assert {result.plan.budget for result in results} == {budget}


def test_a_vote_that_told_nothing_is_told(opened, models):
    models.answer = lambda _body, place: f"I would say {place} or so"
    arm = Arm(generator="lab-small", selection="majority_vote", breadth=4)
    note = opened.run(PROMPT, arm=arm, endpoint=models.url, extract="text").note
    assert note is not None
    assert "medoid" in note


def test_a_server_that_is_broken_is_an_endpoint_error_and_logged(opened):
    with LoopbackModels(status=400) as models, pytest.raises(EndpointError, match="broken"):
        opened.run(PROMPT, arm=ONE, endpoint=models.url, prompt_id="broken")
    (run,) = [run for run in opened.store.stream_runs() if run.prompt_id == "broken"]
    assert (run.status, run.search) == ("error", "session")


def test_a_batch_gives_up_on_a_server_that_answers_nobody(opened):
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(60)]
    with LoopbackModels(status=400) as models:
        results = opened.run_batch(prompts, arm=ONE, endpoint=models.url, max_concurrency=2)
        assert len(models.seen) < 40
    assert len(results) == 60
    assert isinstance(results[-1], EndpointUnavailable)
    assert "not tried" in str(results[-1])


def test_prompts_that_are_refused_do_not_end_a_batch(opened):
    """What is too long says nothing of what comes after it."""
    long = ["Add 5. " * 400 + f"{i}?" for i in range(20)]
    results = opened.run_batch([*long, PROMPT], arm=ONE, endpoint="lab", max_concurrency=1)
    assert all(isinstance(result, RequestRefused) for result in results[:-1])
    assert results[-1].text


def test_a_verifier_can_be_a_function(opened, models):
    arm = Arm(generator="lab-small", verifier="lab-prm", selection="best_of_n", breadth=2)
    models.answer = lambda _body, place: f"Answer: {place}"
    verifiers = {"lab-prm": lambda _prompt, answer: float(answer.endswith("1"))}
    assert opened.run(PROMPT, arm=arm, endpoint=models.url, verifiers=verifiers).answer == "1"


def test_generators_may_be_served_elsewhere(home, models):
    with LoopbackModels(lambda *_: "Answer: 77") as elsewhere:
        (home / "planner.toml").write_text(f'[endpoints]\nlab-small = "{elsewhere.url}"\n')
        with Planner.open() as planner:
            assert planner.run(PROMPT, arm=ONE, endpoint=models.url).answer == "77"
            assert planner.run(PROMPT, arm=Arm(generator="lab-large"), endpoint=models.url).answer == "55"


def test_a_data_set_may_have_names_of_its_own(home, models):
    (home / "planner.toml").write_text('[datasets.code]\nextract = "raw"\ngrade = "exact"\n')
    with Planner.open() as planner:
        result = planner.run(PROMPT, arm=ONE, endpoint=models.url, dataset="code", reference="Answer: 55")
    assert (result.answer, result.correct) == ("Answer: 55", 1.0)


def test_a_session_is_driven_by_whoever_likes(opened):
    from planner.lab import LabEndpoint

    search = opened.session(PROMPT, Budget(max_generations=3), conventions=LabEndpoint().conventions)
    result = asyncio.run(drive(search, LabEndpoint(), Meter(Budget(max_generations=3), opened.policy.models)))
    assert result.answer is not None
    assert result.arm.search == "session"


def test_running_works_within_an_event_loop_too(opened, models):
    async def inside():
        async with opened.running(models.url) as running:
            from planner.api.asked import Asked

            plan = opened.recommend(PROMPT, arm=ONE)
            several = await asyncio.gather(*(running.run(plan, Asked.of(PROMPT)) for _ in range(3)))
        awaited = await opened.arun(PROMPT, arm=ONE, endpoint=models.url)
        waited_for = opened.run(PROMPT, arm=ONE, endpoint=models.url)
        return [one.answer for one in (*several, awaited, waited_for)]

    assert asyncio.run(inside()) == ["55"] * 5


@pytest.mark.parametrize("options", [{"arm": ONE, "colour": 1}, {"arm": ONE, "verifiers": {"x": 3}}])
def test_options_that_cannot_be_used_are_refused(opened, models, options):
    with pytest.raises((InvalidInput, TypeError)):
        opened.run(PROMPT, endpoint=models.url, **options)
    assert models.seen == []
