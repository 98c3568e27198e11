"""Tree of thoughts: breadth-first, the best states of each level are kept, valued by a verifier or by the generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from planner.core import Arm
from planner.strategies.judgement import judged_by_generator
from planner.strategies.pool import Interrupted, Pool, Search
from planner.strategies.registry import Strategy
from planner.strategies.steps import Chain, Chains, StepParameters, Steps
from planner.strategies.task import Task

_UNSURE = 0.5
"""Value of a state whose value nobody could tell."""


class TreeParameters(StepParameters):
    """proposals: thoughts that each kept state is gone on with, k, never more than the breadth.

    states: kept a level, b; None: as many as make the breadth with k proposals each.
    max_steps: the depth limit; states that are not finished there are answered in one go.
    """

    proposals: Annotated[int, Field(ge=1)] = 4
    states: Annotated[int, Field(ge=1)] | None = None


def run(arm: Arm, task: Task, pool: Pool, parameters: TreeParameters) -> Search:
    """Level by level: k proposals from each state, the b best are kept, finished answers among them.

    Every finished proposal is a candidate, at most `breadth` in all; a kept one holds its place among the b.
    Source: Yao et al. 2023, "Tree of Thoughts", algorithm 1.
    """
    steps = Steps(arm, task, parameters)
    width, each = arm.breadth, min(parameters.proposals, arm.breadth)
    n_kept = parameters.states or math.ceil(width / each)
    kept, held = [Chain()], list[Chain]()
    try:
        for level in range(parameters.max_steps):
            states = [chain for chain in kept if not chain.finished]
            left = width - len(pool.samples)
            if not states or left <= 0:
                return
            # the root is one state, and proposes as many first thoughts as a level holds
            wanted = _proposals(states, each if level else each * n_kept, left)
            held = yield from steps.grown(wanted, generations=0 if level else width)
            # Chains that were not granted at the start are not made up for later, when steps are free of charge.
            width = width if level else len(held)
            held = yield from _valued(steps, held)
            steps.finish(pool, [chain for chain in held if chain.finished])
            kept = sorted([*(chain for chain in kept if chain.finished), *held], key=_value, reverse=True)[:n_kept]
            held = [chain for chain in kept if not chain.finished]
        held = yield from steps.rolled_out(held[: width - len(pool.samples)])
        steps.finish(pool, (yield from _valued(steps, held)))
    except Interrupted:
        steps.save(pool, held)
        raise


def _proposals(states: Sequence[Chain], each: int, left: int) -> list[tuple[Chain, int]]:
    """So many children of each state, the best first, as the width that is left allows."""
    return [(state, min(each, left - each * rank)) for rank, state in enumerate(states) if left > each * rank]


def _valued(steps: Steps, chains: list[Chain]) -> Chains:
    if steps.arm.verifier is None:
        return (yield from judged_by_generator(steps, chains))
    return (yield from steps.scored(chains))


def _value(chain: Chain) -> float:
    return _UNSURE if chain.score is None else chain.score


STRATEGY = Strategy(
    "tree_of_thoughts", run, TreeParameters, "breadth-first over states that a verifier or the generator values"
)
