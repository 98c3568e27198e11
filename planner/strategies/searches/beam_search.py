"""Beam search: the best steps by a verifier go on, all alike wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from planner.core import Arm
from planner.strategies.frontier import search_frontier
from planner.strategies.pool import Pool, Search
from planner.strategies.registry import Strategy
from planner.strategies.steps import StepParameters, Steps
from planner.strategies.task import Task


class BeamParameters(StepParameters):
    """beam_width: children of a kept chain, M; "sqrt" is the square root of the breadth."""

    beam_width: Annotated[int, Field(ge=1)] | Literal["sqrt"] = 4


def run(arm: Arm, task: Task, pool: Pool, parameters: BeamParameters) -> Search:
    """Of each round's steps the best one in M is kept, and the width left is spread over the kept ones.

    Source: Snell et al. 2024, "Scaling LLM Test-Time Compute Optimally", section 5.2.
    """
    steps = Steps(arm, task, parameters)
    share = partial(keep_best, beam_width=children_each(parameters, arm.breadth))
    yield from search_frontier(steps, pool, value=steps.scored, share=share)


def children_each(parameters: BeamParameters, breadth: int) -> float:
    """M, the number of children of a kept chain."""
    return math.sqrt(breadth) if parameters.beam_width == "sqrt" else parameters.beam_width


def keep_best(values: Sequence[float], width: int, *, beam_width: float) -> list[int]:
    """Children of each chain: `width`, evenly over the ceil(width / beam_width) chains of greatest value.

    >>> keep_best([0.1, 0.9, 0.5], 5, beam_width=4)
    [0, 3, 2]
    """
    best = sorted(range(len(values)), key=lambda place: -values[place])[: math.ceil(width / beam_width)]
    each, over = divmod(width, len(best))
    shares = [0] * len(values)
    for rank, place in enumerate(best):
        shares[place] = each + (rank < over)
    return shares


STRATEGY = Strategy(
    "beam_search",
    run,
    BeamParameters,
    "the best steps by a verifier go on, round after round",
    needs_verifier=True,
)
