"""The loop that beam search, lookahead and REBASE share: widen, score, share what width is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from planner.strategies.pool import Interrupted, Pool, Search
from planner.strategies.steps import Chain, Chains, Steps

Value = Callable[[list[Chain]], Chains]
Share = Callable[[Sequence[float], int], list[int]]
"""From the values of unfinished chains and the width left to the number of children of each."""


def search_frontier(steps: Steps, pool: Pool, *, value: Value, share: Share) -> Search:
    """`breadth` first steps; then, round after round, as many next steps as chains are not finished yet.

    A chain that is finished takes its place from the width, so that `breadth` candidates come out.
    """
    width = steps.arm.breadth
    wanted, held = [(Chain(), width)], list[Chain]()
    try:
        for number in range(steps.parameters.max_steps):
            held = yield from steps.grown(wanted, generations=0 if number else width)
            # Chains that were not granted at the start are not made up for later, when steps are free of charge.
            width = width if number else len(held)
            held = yield from value(held)
            steps.finish(pool, [chain for chain in held if chain.finished])
            held = [chain for chain in held if not chain.finished]
            left = width - len(pool.samples)
            if not held or left <= 0:
                return
            wanted = list(zip(held, share([chain.worth for chain in held], left), strict=True))
        steps.finish(pool, held)
    except Interrupted:
        steps.save(pool, held)
        raise
