"""Lookahead: beam search whose steps are scored by where a greedy rollout takes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from pydantic import Field

from planner.core import Arm
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
    after: dict[str, Chain] = field(default_factory=dict)
    charged: bool = False

    def scored(self, chains: list[Chain]) -> Chains:
        """The chains with the scores of the ends of their rollouts; rollouts are charged where chains begin."""
        ends = list(chains)
        for _ in range(self.length):
            new = Counter(end.text for end in ends if not end.finished and end.text not in self.after)
            live = {end.text: end for end in ends if end.text in new}
            yield from self._roll(live, Counter(end.text for end in ends))
            paid = {text: self.after[text] for text in new if text in self.after}
            for place, end in enumerate(ends):
                if end.finished or end.text not in self.after:
                    continue
                ends[place] = self.after[end.text]
        self.charged = True
        return (yield from self.steps.scored(chains, by=[end.text for end in ends]))
