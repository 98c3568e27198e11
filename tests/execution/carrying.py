"""Plans to be carried out at a scripted endpoint, and what is logged of them."""

from __future__ import annotations

import asyncio

from scripted_endpoint import ASKED, CARDS, Scripted

from planner.core import Arm, Budget, Completion, Cost, Difficulty, Forecast, Recommendation
from planner.execution.job import Job
from planner.execution.run_log import RunLog
from planner.execution.runner import Runner

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
