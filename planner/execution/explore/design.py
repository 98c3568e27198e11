"""The design of a sweep: which arms are run on which prompts, and in which order a budget is spent on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from planner.core import Arm, ModelCard, Run
from planner.core.arguments import check_whole, listed
from planner.errors import InvalidInput
from planner.strategies.registry import strategy_of

FIRST_SAMPLES = 4
MIDDLE_SAMPLES = 16
FIRST_OTHER_SAMPLES = 2
SHARE_OF_PLAIN = 8
"""One plain prompt in so many is searched too: whoever fits must see that search neither helps nor hurts there."""

_TREE_PARAMS: Mapping[str, Mapping[str, Any]] = {
    "beam_search": {"beam_width": 4},
    "lookahead": {"beam_width": 4, "lookahead_steps": 1},
    "rebase": {"temperature": 0.2},
    "mcts": {"children": 4},
    "tree_of_thoughts": {},
}

JUDGE_THEMSELVES = ("tree_of_thoughts",)
"""Searches whose generator values its own steps where there is no verifier."""


@dataclass(frozen=True)
class Design:
    """What to draw of every prompt.

    generators: cheapest first; the first one gets `samples`, each other `other_samples`.
    revisers: get `chains` chains of `depth` attempts. searches: tree searches of the first generator, each at every
    one of `tree_sizes` candidates, on contested prompts and on some of the plain ones.
    settings: temperature and max_tokens of all samples, where the endpoint's own are not wanted.
    """

    generators: tuple[str, ...]
    verifier: str | None = None
    revisers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    samples: int = 32
    other_samples: int = 8
    chains: int = 4
    depth: int = 4
    tree_sizes: tuple[int, ...] = (4, 16)
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.generators and not self.revisers:
            raise InvalidInput("no generator is named: name one with --generator")
        for name in ("samples", "other_samples", "chains", "depth"):
            check_whole(name, getattr(self, name), 0)
        for size in listed("tree_sizes", self.tree_sizes, int, "4"):
            check_whole("tree_sizes", size, 1)
        for one in self.searches:
            strategy_of(one)
        lacking = [one for one in self.searches if one not in JUDGE_THEMSELVES and self.verifier is None]
        if lacking:
            raise InvalidInput(f"{lacking[0]} needs a verifier: name one with --verifier, or search nothing")


@dataclass(frozen=True)
class Round:
    """One arm, run once on every prompt (`contested`: on those where a search can win, and some others).

    A part of a pool bears a number, so that each batch of samples is a run of its own, drawn in full.
    """

    arm: Arm
    part: int = 0
    contested: bool = False

    def run_id(self, prompt_id: str, seed: int) -> str:
        """Always the same for one design and prompt: what is logged under it is not drawn again."""
        return run_id(seed, prompt_id, self.arm.key, self.part)


def run_id(*what: object) -> str:
    """A deterministic id of a run of a sweep."""
    return "explore-" + hashlib.blake2b(repr(what).encode(), digest_size=12).hexdigest()


def rounds(design: Design) -> tuple[Round, ...]:
    """All rounds, in the order in which a budget is spent on them: a little of every arm on every prompt first.

    Later rounds deepen what is known: whole curves of the cheapest generator, then searches where they can win.
    """
    first, *others = _pools(design)
    revised = [_batches(design, name, design.chains, (1,), depth=design.depth) for name in design.revisers]
    trees = [_trees(design, size) for size in design.tree_sizes]
    found = [
        *first[:1],
        *(one for pool in (*others, *revised) for one in pool[:1]),
        *first[1:2],
        *(one for size in trees[:1] for one in size),
        *(one for pool in (*others, *revised) for one in pool[1:]),
        *(one for size in trees[1:] for one in size),
        *first[2:],
    ]
    return tuple(found)


def contested(prompt_ids: Sequence[str], logged: Iterable[Run], seed: int) -> list[str]:
    """Prompts whose samples are neither all right nor all wrong, and one in eight of the others.

    Where nothing is graded: those whose answers differ.
    """
    seen: dict[str, set[object]] = {}
    for run in logged:
        for sample in run.samples if run.search == "sampling" else ():
            if sample.status == "error":
                continue
            outcome = sample.answer if sample.correct is None else sample.correct > 0.5
            seen.setdefault(run.prompt_id or "", set()).add(outcome)
    return [one for one in prompt_ids if len(seen.get(one, ())) > 1 or _is_drawn(one, seed)]


def shuffled(prompt_ids: Iterable[str], seed: int) -> list[str]:
    """The prompts in an order of the seed's: a budget that ends early then leaves out a random part of them."""
    return sorted(prompt_ids, key=lambda one: _digest("order", seed, one))


def by_price(names: Sequence[str], cards: Mapping[str, ModelCard]) -> list[str]:
    """Models by price, else by size, the cheapest first; those whose card says neither keep their order at the end."""

    def price(name: str) -> tuple[int, float]:
        card = cards.get(name)
        if card is None:
            return 2, 0.0
        usd = card.usd_per_million_completion_tokens
        if usd is not None:
            return 0, usd
        return (2, 0.0) if card.active_params is None else (1, card.active_params)

    known = [price(name)[0] for name in names]
    if 0 in known and 1 in known:  # prices and sizes do not compare
        return list(names)
    return sorted(names, key=price)


def _pools(design: Design) -> list[list[Round]]:
    """Batches of every generator, those of the first first."""
    if not design.generators:
        return [[]]
    cheapest, *others = design.generators
    first = _batches(design, cheapest, design.samples, (FIRST_SAMPLES, MIDDLE_SAMPLES))
    return [first, *(_batches(design, name, design.other_samples, (FIRST_OTHER_SAMPLES,)) for name in others)]


def _batches(design: Design, generator: str, total: int, totals: Sequence[int], *, depth: int = 1) -> list[Round]:
    """Rounds that bring a pool to each of `totals`, and at last to `total`, doubling past the last of them."""
    steps = [one for one in totals if one < total]
    while steps and 2 * steps[-1] < total and len(steps) >= len(totals):
        steps.append(2 * steps[-1])
    found, drawn = [], 0
    for part, upto in enumerate([*steps, total]):
        if upto > drawn:
            found.append(Round(_sampling(design, generator, upto - drawn, depth), part))
        drawn = upto
    return found


def _sampling(design: Design, generator: str, breadth: int, depth: int) -> Arm:
    if design.verifier is not None:
        selection = "weighted_vote" if breadth * depth > 1 else "best_of_n"
    else:
        selection = "majority_vote" if breadth * depth > 1 else "first"
    return Arm(
        generator=generator,
        verifier=design.verifier,
        selection=selection,
        breadth=breadth,
        depth=depth,
        params=dict(design.settings),
    )


def _trees(design: Design, size: int) -> list[Round]:
    return [
        Round(
            Arm(
                generator=design.generators[0],
                verifier=design.verifier,
                search=search,
                selection="majority_vote" if design.verifier is None else "weighted_vote",
                breadth=size,
                params=_tree_params(search, size, design.settings),
            ),
            contested=True,
        )
        for search in (design.searches if design.generators else ())
    ]


def _tree_params(search: str, size: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    params = dict(_TREE_PARAMS.get(search, {}))
    if search == "mcts":
        params["simulations"] = size
    return params | ({"settings": dict(settings)} if settings else {})


def _is_drawn(prompt_id: str, seed: int) -> bool:
    return _digest("plain", seed, prompt_id) % SHARE_OF_PLAIN == 0


def _digest(*what: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=8).digest(), "little")
