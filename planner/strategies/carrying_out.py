"""From an arm to its result: the search, its interruption, and the choice among what it found."""

from __future__ import annotations

from collections.abc import Generator

from planner.core import Arm
from planner.errors import InvalidInput
from planner.strategies.parameters import Choosing
from planner.strategies.pool import Interrupted, Pool, Replies, Requests, Result, Search
from planner.strategies.registry import strategy_of
from planner.strategies.selections import select, selection_of
from planner.strategies.task import Task


def carry_out(arm: Arm, task: Task) -> Generator[Requests, Replies, Result]:
    """Carry out one arm: requests come out, replies go in, and the result is returned.

    The driver may throw `Interrupted` at any request: the result is then the best so far.
    Raises UnknownStrategy for an unknown search or selection, and InvalidInput for parameters that cannot be carried
    out or a verifier that is missing: at once, before anything is asked for.
    """
    strategy = strategy_of(arm.search)
    selection_of(arm.selection)
    if strategy.needs_verifier and arm.verifier is None:
        raise InvalidInput(f"{arm.search!r} goes by scores of steps: name a verifier, or use tree_of_thoughts")
    parameters, pool = strategy.parameters.of(arm), Pool()
    return _carried_out(arm, pool, strategy.run(arm, task, pool, parameters), parameters)


def _carried_out(arm: Arm, pool: Pool, search: Search, parameters: Choosing) -> Generator[Requests, Replies, Result]:
    interrupted = None
    try:
        yield from search
    except Interrupted as stop:
        interrupted = str(stop) or "interrupted"
    samples = tuple(pool.samples)
    return Result(arm, samples, select(arm.selection, samples, parameters), interrupted)
