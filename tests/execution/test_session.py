"""A session is a generator: it draws, pools what came back, and stops where more is not worth it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from scripted_endpoint import Scripted

from planner import Budget, Planner
from planner.core import Completion, Generate, Message, Verdict, Verify
from planner.errors import InfeasibleBudget
from planner.execution.driver import drive
from planner.execution.meter import Meter
from planner.execution.session import session
from planner.policy import PromptInput
from planner.policy.adaptive.answers import AnswerModel, Evidence
from planner.policy.adaptive.draws import Drawable
from planner.policy.adaptive.logistic import Logistic
from planner.policy.adaptive.model import Adaptive, Contest
from planner.policy.adaptive.plan import Costed, Plan
from planner.strategies.pool import Interrupted
from planner.strategies.task import Task
from planner.strategies.transcript import Transcript, replay

SMALL, REVISE, LARGE = 0, 1, 2
POOLS = (Drawable("lab-small", "lab-prm", most_chains=2, most_attempts=3), Drawable("lab-large", "lab-prm"))
DRAWS = (SMALL, REVISE, SMALL, LARGE)
ASKED = PromptInput("Start with 3. Double it. How many now?")
MEAN = Budget(mean_flops=4e8)


def adaptive(gain: float = 0.01, draws=DRAWS, stop_at=(0.9, 0.9, 0.9, 0.0)) -> Adaptive:
    """One plan; the chance of an answer is its greatest score."""
    evidence = np.zeros(3 + 4 * len(POOLS))
    evidence[[5, 9]] = 1.0  # log odds of the last step's score, of either pool
    pooled = np.zeros(12 + 2 * len(POOLS))
    pooled[0] = 1.0
    contest = Contest(np.array([1.0, 1e12]), np.full(2, gain), np.zeros(2))
    n = len(draws)
    cost = {unit: np.arange(1, n + 1) * each for unit, each in (("flops", 1e8), ("tokens", 100.0))}
    use = np.array([[1] * 4, [40, 80, 40, 0], [40, 40, 40, 0], [80, 80, 80, 0]], dtype=np.float32)
    return Adaptive(
        POOLS,
        AnswerModel(Evidence(Logistic(evidence, 0.0), len(POOLS)), Logistic(pooled, 0.0)),
        (Costed(Plan(tuple(draws), tuple(stop_at)), np.linspace(0.7, 0.9, n), cost),),
        {"flops": (0,), "tokens": (0,)},
        use,
        {
            "flops": np.array([[0, 0], [6e5, 7e6], [6e5, 7e6], [6e5, 6e5]], dtype=np.float32),
            "tokens": np.array([[0, 0], [1, 1], [1, 1], [1, 1]], dtype=np.float32),
        },
        {"flops": contest, "tokens": contest},
        {"flops": contest, "tokens": contest},
    )


@pytest.fixture
def policy(home):
    with Planner.open() as planner:
        return replace(planner.policy, adaptive=adaptive())


def task(seed: int = 0) -> Task:
    def extract(text: str) -> str | None:
        return text.removeprefix("Answer: ") or None

    return Task((Message("user", ASKED.text),), extract, lambda _: True, seed=seed)


def endpoint(scores, answers=("4", "5", "6", "7"), completion_tokens: int = 40) -> Scripted:
    """Answers and scores in the order of asking."""
    left, marks = iter(answers), iter(scores)
    return Scripted(
        lambda request, _: (
            Completion(f"Answer: {next(left)}", prompt_tokens=40, completion_tokens=completion_tokens),
        )[: request.n],
        lambda request, _: tuple(Verdict(next(marks), tokens=80) for _ in request.candidates),
    )


def carried_out(policy, world, budget=MEAN, *, transcript=None):
    meter = Meter(budget, policy.models)
    return asyncio.run(drive(session(task(), policy, ASKED, budget), world, meter, transcript=transcript))


def generators(world):
    return [request.generator for request in world.seen if isinstance(request, Generate)]


def test_a_sure_first_answer_ends_a_session(policy):
    world = endpoint([0.95])
    result = carried_out(policy, world)
    assert (result.answer, len(result.samples)) == ("4", 1)
    assert generators(world) == ["lab-small"]


def test_doubt_goes_on_along_the_plan_and_pools_all_answers(policy):
    world = endpoint([0.2, 0.8, 0.3, 0.1])
    result = carried_out(policy, world)
    assert generators(world) == ["lab-small", "lab-small", "lab-small", "lab-large"]
    assert result.answer == "5"  # of the second draw, though others came later
    assert [(s.chain, s.attempt) for s in result.samples] == [(0, 0), (0, 1), (1, 0), (2, 0)]


def test_a_vote_ends_where_the_beta_rule_is_sure(policy):
    learned = adaptive(draws=(SMALL,) * 4, stop_at=(0.8, 0.8, 0.8, 0.0))
    (costed,) = learned.plans
    voting = replace(learned, plans=(replace(costed, plan=replace(costed.plan, by_votes=True)),))
    result = carried_out(replace(policy, adaptive=voting), endpoint([0.99] * 4, ["4", "5", "5", "5"]))
    assert [sample.answer for sample in result.samples] == ["4", "5", "5", "5"]
    result = carried_out(replace(policy, adaptive=voting), endpoint([0.01] * 4, ["4", "4", "5", "5"]))
    assert [sample.answer for sample in result.samples] == ["4", "4"]


def test_a_further_attempt_sees_the_one_before(policy):
    world = endpoint([0.2, 0.95])
    carried_out(policy, world)
    first, second = (request for request in world.seen if isinstance(request, Generate))
    assert first.messages == task().messages
    assert [message.content for message in second.messages][1] == "Answer: 4"


def test_the_arm_tells_what_was_done(policy):
    arm = carried_out(policy, endpoint([0.2, 0.8, 0.3, 0.1])).arm
    assert (arm.search, arm.breadth, arm.params["probes"]) == ("session", 4, 1)
    drawn = [(s["generator"], s["draw"], s["n"]) for s in arm.params["stages"]]
    assert drawn == [
        ("lab-small", "samples", 1), ("lab-small", "attempts", 1), ("lab-small", "samples", 1),
        ("lab-large", "samples", 1),
    ]  # fmt: skip
    assert arm.params["chance"] == pytest.approx(0.8)


def test_where_cascades_are_as_good_a_session_is_the_recommended_arm(policy):
    cascading = replace(policy, adaptive=adaptive(gain=-0.001))
    plan = cascading.recommend([ASKED], MEAN)[0]
    world = endpoint([0.99] * 80, ["4"] * 80)
    result = carried_out(cascading, world)
    assert result.arm.params["probes"] == 0
    assert "chance" not in result.arm.params
    assert set(generators(world)) <= set(plan.arm.generators)


def test_a_policy_without_learned_sessions_carries_out_what_it_recommends(policy):
    result = carried_out(replace(policy, adaptive=None), endpoint([0.99] * 80, ["4"] * 80))
    assert (result.arm.search, result.arm.params["probes"], result.answer) == ("session", 0, "4")


def test_a_budget_that_nothing_fits_is_an_error_at_once(policy):
    with pytest.raises(InfeasibleBudget):
        session(task(), policy, ASKED, Budget(max_flops=1.0))


@pytest.mark.parametrize("ceiling", [200, 340, 500, 1000])
def test_no_ceiling_is_passed_by_more_than_what_was_in_flight(policy, ceiling):
    budget = Budget(max_tokens=ceiling)
    world = endpoint([0.1] * 4, completion_tokens=90)
    meter = Meter(budget, policy.models)
    asyncio.run(drive(session(task(), policy, ASKED, budget), world, meter))
    assert meter.cost.tokens <= ceiling + 210  # one completion of 130 tokens and its score


def test_a_draw_that_does_not_fit_what_is_left_is_never_begun(policy):
    budget = Budget(max_flops=6e8)  # three small samples and their scores take 2.9e8, a large one 6.1e8
    world = endpoint([0.1] * 4)
    result = carried_out(policy, world, budget)
    assert generators(world) == ["lab-small"] * 3
    assert result.interrupted is None


def test_an_interruption_leaves_the_best_of_what_was_drawn(policy):
    search = session(task(), policy, ASKED, MEAN)
    next(search)
    search.send([(Completion("Answer: 4", prompt_tokens=40, completion_tokens=40),)])
    search.send([(Verdict(0.4, tokens=80),)])
    with pytest.raises(StopIteration) as end:
        search.throw(Interrupted("enough"))
    assert (end.value.value.answer, end.value.value.interrupted) == ("4", "enough")


def test_an_interruption_before_anything_came_back_has_no_answer(policy):
    search = session(task(), policy, ASKED, MEAN)
    next(search)
    with pytest.raises(StopIteration) as end:
        search.throw(Interrupted("down"))
    assert end.value.value.chosen is None


def test_a_sample_that_could_not_be_scored_still_counts(policy):
    search = session(task(), policy, ASKED, MEAN)
    next(search)
    search.send([(Completion("Answer: 4", prompt_tokens=40, completion_tokens=40),)])
    with pytest.raises(StopIteration) as end:
        search.throw(Interrupted("no verifier"))
    assert end.value.value.answer == "4"


def test_a_failed_draw_is_followed_by_the_next_one(policy):
    replies = iter([Completion("", finish="error"), Completion("Answer: 5", prompt_tokens=40, completion_tokens=40)])
    world = Scripted(
        lambda *_: (next(replies),), lambda request, _: tuple(Verdict(0.95, tokens=80) for _ in request.candidates)
    )
    result = carried_out(policy, world)
    assert (result.answer, [sample.status for sample in result.samples]) == ("5", ["error", "ok"])


def test_no_answer_at_all_is_no_error(policy):
    world = endpoint([0.1] * 4, ["", "", "", ""])
    result = carried_out(policy, world)
    assert (result.chosen, result.answer) == (0, None)


def test_a_transcript_replayed_gives_the_same_result(policy):
    transcript = Transcript()
    live = carried_out(policy, endpoint([0.2, 0.8, 0.3, 0.1]), transcript=transcript)
    assert replay(session(task(), policy, ASKED, MEAN), Transcript.from_plain(transcript.to_plain())) == live


def test_the_same_task_asks_the_same_questions(policy):
    first, second = endpoint([0.2, 0.8, 0.3, 0.1]), endpoint([0.2, 0.8, 0.3, 0.1])
    assert carried_out(policy, first) == carried_out(policy, second)
    assert first.seen == second.seen
    seeds = [request.seed for request in first.seen if isinstance(request, Generate)]
    assert len(set(seeds)) == 4


def test_every_candidate_is_scored_by_its_pools_verifier(policy):
    world = endpoint([0.2, 0.8, 0.3, 0.1])
    result = carried_out(policy, world)
    assert sum(isinstance(request, Verify) for request in world.seen) == 4
    assert [sample.score for sample in result.samples] == [0.2, 0.8, 0.3, 0.1]
