"""A search and a selection as another package would bring them."""

from __future__ import annotations

from planner.core import Arm
from planner.strategies import Choosing, Parameters, Pool, Search, Selection, Strategy, Task
from planner.strategies.drawing import answers, as_sample, completions, judged


class TwiceParameters(Parameters):
    shout: bool = False


def run(arm: Arm, task: Task, pool: Pool, parameters: TwiceParameters) -> Search:
    """One sample after the other."""
    for chain in range(arm.breadth * arm.depth):
        (reply,) = yield (answers(task, arm.generator, place=("one_by_one", chain), settings=parameters.settings),)
        drawn = [as_sample(task, one, generator=arm.generator, chain=chain) for one in completions(reply)]
        yield from judged(task, pool, drawn, arm.verifier)


def shortest(samples, choosing: Choosing) -> int:
    return min(range(len(samples)), key=lambda place: len(samples[place].text or ""))


STRATEGY = Strategy("one_by_one", run, TwiceParameters, "samples one after the other")
SELECTION = Selection("shortest", shortest, needs_scores=False, summary="the shortest text")
NO_STRATEGY = "a text"
TAKEN = Strategy("sampling", run, TwiceParameters, "takes a built-in's name")
