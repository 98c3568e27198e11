"""Single recommendations that are planned as one batch are what each would have got by itself."""

from __future__ import annotations

import asyncio

import pytest

from planner import Budget, Planner
from planner.errors import InfeasibleBudget, InvalidInput
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
