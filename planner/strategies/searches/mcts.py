"""Monte Carlo tree search: simulations go where values are high or little is known, each to a finished answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from planner.core import Arm
from planner.strategies.pool import Interrupted, Pool, Search
from planner.strategies.registry import Strategy
from planner.strategies.steps import Chain, StepParameters, Steps
from planner.strategies.task import Task


class MctsParameters(StepParameters):
    """simulations: None is the breadth. children: of an expanded node, never more than there are simulations.

    root_children: of the root, None: as of any other node. exploration: the constant C of UCT.
    """

    simulations: Annotated[int, Field(ge=1)] | None = None
    children: Annotated[int, Field(ge=1)] = 4
    root_children: Annotated[int, Field(ge=1)] | None = None
    exploration: Annotated[float, Field(ge=0)] = 0.5


def run(arm: Arm, task: Task, pool: Pool, parameters: MctsParameters) -> Search:
    """Each simulation descends by UCT, expands a leaf, and rolls its best child out; the end's score is its value.

    A simulation that descends to a finished answer adds that answer once more, and asks for nothing.
    """
    steps = Steps(arm, task, parameters)
    tree, n = _Node(Chain()), parameters.simulations or arm.breadth
    held: list[Chain] = []
    try:
        for _ in range(n):
            leaf = tree.descend(parameters.exploration)
            if leaf.chain.finished:
                steps.finish(pool, [leaf.chain])
                leaf.visit(leaf.chain.worth)
                continue
            wide = parameters.children if leaf is not tree else parameters.root_children or parameters.children
            held = yield from steps.grown([(leaf.chain, min(wide, n))], generations=1)
            held = yield from steps.scored(held)
            leaf.adopt(held)
            if not leaf.children:
                continue
            best = max(leaf.children, key=lambda node: node.chain.worth)
            held = [best.chain]
            if not best.chain.finished:
                held = (yield from steps.rolled_out(held)) or held
                held = yield from steps.scored(held)
            steps.finish(pool, held)
            best.visit(held[0].worth)
            held = []
    except Interrupted:
        steps.save(pool, held)
        raise


@dataclass
class _Node:
    chain: Chain
    parent: _Node | None = None
    visits: int = 0
    total: float = 0.0
    children: list[_Node] = field(default_factory=list)

    def adopt(self, chains: Sequence[Chain]) -> None:
        """Children of these chains, equal ones once."""
        distinct: dict[str, Chain] = {}
        for chain in chains:
            distinct.setdefault(chain.text, chain)
        self.children = [_Node(chain, self) for chain in distinct.values()]

    def descend(self, exploration: float) -> _Node:
        """The leaf that upper confidence bounds lead to; a child's own value counts as one visit."""
        node = self
        while node.children:
            known = math.log(node.visits + 1)
            node = max(node.children, key=lambda child: child.bound(known, exploration))
        return node

    def bound(self, known: float, exploration: float) -> float:
        seen = self.visits + 1
        return (self.total + self.chain.worth) / seen + exploration * math.sqrt(known / seen)

    def visit(self, value: float) -> None:
        """One more simulation went through here, and through all above."""
        node: _Node | None = self
        while node is not None:
            node.visits += 1
            node.total += value
            node = node.parent


STRATEGY = Strategy(
    "mcts",
    run,
    MctsParameters,
    "UCT over steps, valued by a verifier, each simulation rolled out",
    needs_verifier=True,
)
