"""Single recommendations that are planned as one batch are what each would have got by itself."""

from __future__ import annotations

import asyncio

import pytest

from planner import Budget, Planner
from planner.config import Settings
from planner.errors import InfeasibleBudget, InvalidInput
from planner.service.gateway.body import ChatBody
from planner.service.gateway.budgets import Budgets
from planner.service.gateway.request import read_request
from planner.service.metrics import Metrics
from planner.service.together import MOST, Together

PROMPTS = [f"Start with {i}. Multiply by {2 + i % 7}. How many now?" for i in range(2 * MOST + 3)]
OPTIONS = {"budget": Budget(max_generations=8), "target_accuracy": None, "generators": (), "seed": 0}


@pytest.fixture
def planner(home):
    with Planner.open() as opened:
        yield opened


def answered(planner, *asked):
    """What each (prompt, options) gets when all ask at one moment: a recommendation or an error."""

    async def ask():
        together = Together(planner)
        return await asyncio.gather(
            *(together.recommend({"prompt": prompt}, options) for prompt, options in asked), return_exceptions=True
        )

    return asyncio.run(ask())


def test_each_gets_what_it_would_have_got_alone(planner):
    found = answered(planner, *((prompt, OPTIONS) for prompt in PROMPTS))
    alone = [planner.recommend(prompt, OPTIONS["budget"]) for prompt in PROMPTS]
    assert [one.arm for one in found] == [one.arm for one in alone]
    assert [one.prompt_id for one in found] == [one.prompt_id for one in alone]
    wanted = pytest.approx([one.forecast.accuracy for one in alone], abs=1e-5)
    assert [one.forecast.accuracy for one in found] == wanted


def test_budgets_are_not_mixed_up(planner):
    budgets = [Budget(max_generations=1 + i % 3) for i in range(12)]
    found = answered(planner, *((PROMPTS[i], OPTIONS | {"budget": one}) for i, one in enumerate(budgets)))
    assert [one.budget for one in found] == budgets
    assert all(one.forecast.cost_worst.fits(budget) for one, budget in zip(found, budgets, strict=True))


def test_an_error_is_that_of_the_one_who_asked(planner):
    too_low = OPTIONS | {"budget": Budget(max_flops=1.0)}
    unknown = OPTIONS | {"generators": ("nobody",)}
    found = answered(
        planner,
        (PROMPTS[0], OPTIONS),
        (" ", OPTIONS),
        (PROMPTS[1], too_low),
        (PROMPTS[2], unknown),
        (PROMPTS[3], OPTIONS),
    )
    assert [one.budget for one in (found[0], found[4])] == [OPTIONS["budget"]] * 2
    assert isinstance(found[1], InvalidInput)
    assert isinstance(found[2], InfeasibleBudget)
    assert "nobody" in str(found[3])


def test_one_that_goes_away_takes_nobody_along(planner):
    async def ask():
        together = Together(planner)
        waiting = [asyncio.create_task(together.recommend({"prompt": one}, OPTIONS)) for one in PROMPTS[:3]]
        await asyncio.sleep(0)
        waiting[1].cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    first, gone, last = asyncio.run(ask())
    assert isinstance(gone, asyncio.CancelledError)
    assert first.arm.generator
    assert last.arm.generator


class Counting:
    """A planner that only counts what it is asked at once."""

    def __init__(self):
        self.sizes = []

    def recommend_batch(self, prompts, **_):
        self.sizes.append(len(prompts))
        return [InvalidInput("counted")] * len(prompts)


async def ask_in_turns(together, n_prompts):
    """So many ask one after the other, each at a later turn of the event loop."""

    async def ask(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        return await together.recommend({"prompt": PROMPTS[0]}, OPTIONS)

    return await asyncio.gather(*(ask(turns) for turns in range(n_prompts)), return_exceptions=True)


def test_where_several_asked_together_the_next_of_them_wait_for_the_others():
    async def ask():
        together = Together(Counting())
        await asyncio.gather(
            *(together.recommend({"prompt": one}, OPTIONS) for one in PROMPTS[:5]), return_exceptions=True
        )
        await ask_in_turns(together, 5)
        return together.planner.sizes

    assert asyncio.run(ask()) == [1, 4, 5]


def test_who_asks_alone_waits_for_nobody():
    async def ask():
        together = Together(Counting())
        alone = asyncio.create_task(together.recommend({"prompt": PROMPTS[0]}, OPTIONS))
        await asyncio.sleep(0)  # it asks, and is planned
        sizes = list(together.planner.sizes)
        await asyncio.gather(alone, return_exceptions=True)
        return sizes

    assert asyncio.run(ask()) == [1]


def test_a_crowd_that_is_gone_is_forgotten():
    async def ask():
        together = Together(Counting())
        await asyncio.gather(
            *(together.recommend({"prompt": one}, OPTIONS) for one in PROMPTS[:8]), return_exceptions=True
        )
        for _ in range(4):
            await asyncio.gather(together.recommend({"prompt": PROMPTS[0]}, OPTIONS), return_exceptions=True)
        await asyncio.gather(together.recommend({"prompt": PROMPTS[0]}, OPTIONS), return_exceptions=True)
        await ask_in_turns(together, 3)
        return together.planner.sizes

    sizes = asyncio.run(ask())
    assert sizes[:7] == [1, 7, 1, 1, 1, 1, 1]
    assert len(sizes[7:]) > 1  # nobody waits for what comes at a later turn


def test_what_a_crowd_asks_of_the_gateway_is_planned_in_one_go(planner, monkeypatch):
    budgets = Budgets(Settings(), planner, Metrics())
    members = {"model": "auto", "planner": {"max_generations": 4}}
    bodies = [members | {"messages": [{"role": "user", "content": prompt}]} for prompt in PROMPTS[:8]]
    asked = [read_request(ChatBody(**body), body, None, ()) for body in bodies]
    sizes = []
    plan = planner.recommend_batch

    def counted(prompts, **options):
        sizes.append(len(prompts))
        return plan(prompts, **options)

    monkeypatch.setattr(planner, "recommend_batch", counted)

    async def ask():
        await budgets.plan(asked[0])  # what it costs to be within the budget is known from now on
        return await asyncio.gather(*map(budgets.plan, asked))

    found = [one.plan for one in asyncio.run(ask())]
    assert sizes == [1, 7]  # who asks first waits for nobody
    assert [one.arm for one in found] == [planner.recommend(one, Budget(max_generations=4)).arm for one in PROMPTS[:8]]
