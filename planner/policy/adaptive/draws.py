"""What a session may draw, and the lattice of what it may have drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Node = tuple[tuple[int, ...], ...]
"""Lengths in attempts of the chains drawn so far, pool by pool."""
Draw = int
"""2 x pool for a fresh chain of a pool (a sample), 2 x pool + 1 for one more attempt of its latest chain."""


@dataclass(frozen=True)
class Drawable:
    """One pool as a session sees it: at most so many chains, of at most so many attempts."""

    generator: str
    verifier: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    most_chains: int = 1
    most_attempts: int = 1


@dataclass(frozen=True)
class Slot:
    """The place of one draw: `attempt` (from 0) of `chain` (from 0) of a pool."""

    pool: int
    chain: int
    attempt: int


def pool_of(draw: Draw) -> int:
    """The pool that a draw draws from."""
    return draw // 2


def revises(draw: Draw) -> bool:
    """Whether a draw is a further attempt of a chain."""
    return draw % 2 == 1


def empty(pools: Sequence[Drawable]) -> Node:
    """Nothing is drawn."""
    return ((),) * len(pools)


def successors(node: Node, pools: Sequence[Drawable]) -> dict[Draw, Node]:
    """What may be drawn next, and where it leads."""
    found: dict[Draw, Node] = {}
    for place, (chains, pool) in enumerate(zip(node, pools, strict=True)):
        if len(chains) < pool.most_chains:
            found[2 * place] = _with(node, place, (*chains, 1))
        if chains and chains[-1] < pool.most_attempts:
            found[2 * place + 1] = _with(node, place, (*chains[:-1], chains[-1] + 1))
    return found


def lattice(pools: Sequence[Drawable]) -> list[Node]:
    """Every node, those of fewer draws first; the empty one is the first."""
    level, nodes = [empty(pools)], [empty(pools)]
    while level:
        level = sorted({after for node in level for after in successors(node, pools).values()})
        nodes += level
    return nodes


def slots(pools: Sequence[Drawable]) -> list[Slot]:
    """Every draw that some node holds."""
    return [
        Slot(place, chain, attempt)
        for place, pool in enumerate(pools)
        for chain in range(pool.most_chains)
        for attempt in range(pool.most_attempts)
    ]


def slots_of(node: Node) -> list[Slot]:
    """The draws of one node."""
    return [
        Slot(place, chain, attempt)
        for place, chains in enumerate(node)
        for chain, length in enumerate(chains)
        for attempt in range(length)
    ]


def _with(node: Node, place: int, chains: tuple[int, ...]) -> Node:
    return (*node[:place], chains, *node[place + 1 :])
