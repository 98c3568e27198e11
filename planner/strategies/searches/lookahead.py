"""Lookahead: beam search whose steps are scored by where a greedy rollout takes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

from pydantic import Field

from planner.core import Arm, Completion
from planner.strategies.drawing import completions
from planner.strategies.frontier import search_frontier
from planner.strategies.pool import Pool, Search
from planner.strategies.registry import Strategy
from planner.strategies.searches.beam_search import BeamParameters, children_each, keep_best
from planner.strategies.steps import Chain, Chains, Steps
from planner.strategies.task import Task


class LookaheadParameters(BeamParameters):
    """lookahead_steps: steps of a rollout, k; the search counts breadth x (k + 1) generations."""

    lookahead_steps: Annotated[int, Field(ge=0)] = 1


def run(arm: Arm, task: Task, pool: Pool, parameters: LookaheadParameters) -> Search:
    """Beam search in which a step's score is that of the end of a rollout of k more steps at temperature 0.

    Source: Snell et al. 2024, "Scaling LLM Test-Time Compute Optimally", section 5.2.
    """
    steps = Steps(arm, task, parameters)
    share = partial(keep_best, beam_width=children_each(parameters, arm.breadth))
    yield from search_frontier(steps, pool, value=_Rollouts(steps, parameters.lookahead_steps).scored, share=share)


@dataclass
class _Rollouts:
    """Greedy rollouts; the greedy step after a text is asked for once."""

    steps: Steps
    length: int
    after: dict[str, Completion] = field(default_factory=dict)
    charged: bool = False

    def scored(self, chains: list[Chain]) -> Chains:
        """The chains with the scores of the ends of their rollouts."""
        ends, n_further = list(chains), 0
        while n_further < self.length:
            ends = yield from self._further(ends)
            n_further += 1
        rolled = [replace(end, text=chain.text, status=chain.status) for chain, end in zip(chains, ends, strict=True)]
        return (yield from self.steps.scored(rolled, by=[end.text for end in ends]))

    def _further(self, ends: list[Chain]) -> Chains:
        times = Counter(end.text for end in ends if not end.finished)
        new = {end.text: end for end in ends if end.text in times and end.text not in self.after}
        # All rollouts of a chain are charged where it begins.
        charge, self.charged = 0 if self.charged else self.length, True
        if new:
            replies = yield tuple(
                self.steps.request(end, greedy=True, generations=charge * times[text]) for text, end in new.items()
            )
            for text, reply in zip(new, replies, strict=True):
                self.after.update((text, one) for one in completions(reply)[:1] if one.finish != "error")
            if charge and not all(replies):
                self.length = 0  # rollouts that were not granted here are not made later, when they are free of charge
        unpaid = set(new)
        result = []
        for end in ends:
            step = None if end.finished else self.after.get(end.text)
            further = end if step is None else self.steps.extended(end, step)
            # what is known already costs nothing
            result.append(further if end.text in unpaid else replace(end, text=further.text, status=further.status))
            unpaid.discard(end.text)
        return result


STRATEGY = Strategy(
    "lookahead",
    run,
    LookaheadParameters,
    "beam search whose steps are scored by where a greedy rollout takes them",
    needs_verifier=True,
)
