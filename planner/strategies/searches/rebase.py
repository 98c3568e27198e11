"""REBASE: steps go on in proportion to the softmax of their rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from planner.core import Arm
from planner.strategies.frontier import search_frontier
from planner.strategies.pool import Pool, Search
from planner.strategies.registry import Strategy
from planner.strategies.steps import StepParameters, Steps
from planner.strategies.task import Task


class RebaseParameters(StepParameters):
    """temperature: of the softmax over rewards (.1 in the paper, .2 in its code); samples' own is in `settings`."""

    temperature: Annotated[float, Field(gt=0)] = 0.2


def run(arm: Arm, task: Task, pool: Pool, parameters: RebaseParameters) -> Search:
    """Every chain goes on as its reward deserves; the width is spent exactly.

    Source: Wu et al. 2024, "Inference Scaling Laws", section 3.2.
    """
    steps = Steps(arm, task, parameters)
    share = partial(by_reward, temperature=parameters.temperature)
    yield from search_frontier(steps, pool, value=steps.scored, share=share)


def by_reward(rewards: Sequence[float], width: int, *, temperature: float) -> list[int]:
    """Children of each chain, `width` in all: by falling reward, the ceiling of its part in what is left.

    >>> by_reward([0.9, 0.7, 0.5, 0.3], 16, temperature=0.1)
    [14, 2, 0, 0]
    """
    greatest = max(rewards)
    weights = [math.exp((reward - greatest) / temperature) for reward in rewards]
    order = sorted(range(len(rewards)), key=lambda place: -rewards[place])
    shares, left = [0] * len(rewards), width
    for rank, place in enumerate(order):
        # What is left is summed anew: differences would not end at 0, and the last one takes all that is left.
        part = weights[place] / sum(weights[other] for other in order[rank:])
        # a part that is a whole number but for rounding is not rounded up to the next
        shares[place] = min(left, math.ceil(left * part - 1e-9))
        left -= shares[place]
        if not left:
            break
    return shares


STRATEGY = Strategy(
    "rebase",
    run,
    RebaseParameters,
    "steps go on in proportion to the softmax of their rewards",
    needs_verifier=True,
)
