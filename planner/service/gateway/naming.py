"""What a request's `model` asks for: to be planned, with which generators and strategies, or one model as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from planner.errors import InvalidInput

AUTO = "auto"
_APPROACHES: Mapping[str, dict[str, tuple[str, ...]]] = {
    "bon": {"searches": ("sampling",), "selections": ("best_of_n",)},
    "best_of_n": {"searches": ("sampling",), "selections": ("best_of_n",)},
    "self_consistency": {"searches": ("sampling",), "selections": ("majority_vote",)},
    "mcts": {"searches": ("mcts",)},
}
"""OptiLLM's names of strategies that are carried out here too.

A selection alone would not name one: cascades and tree searches choose by a vote or the best score too.
"""


@dataclass(frozen=True)
class Named:
    """A model's name, read.

    model: to be asked as it is; None where the request is to be planned, with `generators` (empty: any) and the
    strategies that its prefix names.
    """

    model: str | None = None
    generators: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    selections: tuple[str, ...] = ()

    @property
    def is_forced(self) -> bool:
        """Whether a strategy is named."""
        return bool(self.searches or self.selections)


class UnknownName(InvalidInput):
    """No model of that name is known."""


def bare_names(name: str) -> tuple[str, ...]:
    """The name, and what is left of it without each prefix: one of them is a model, or it is `auto`."""
    names = [name]
    for prefix in (*_APPROACHES, AUTO):
        if names[-1].startswith(f"{prefix}-"):
            names.append(names[-1].removeprefix(f"{prefix}-"))
    return tuple(names)


def read_name(name: str, known: Collection[str], approach: str | None = None) -> Named:
    """`auto`, `auto-GENERATOR`, a known model, or one of these after OptiLLM's prefix; `approach` is OptiLLM's too.

    What asks for a plan is never a model of that name: whoever logs a run of one would else take it from everybody.
    Raises UnknownName, naming what there is, and InvalidInput for an approach that is not carried out here.
    """
    if approach is not None and approach != "none":
        return _forced(approach, read_name(name, known))
    if name == AUTO:
        return Named()
    if name.startswith(f"{AUTO}-") and name.removeprefix(f"{AUTO}-") in known:
        return Named(generators=(name.removeprefix(f"{AUTO}-"),))
    for prefix in _APPROACHES:
        if name.startswith(f"{prefix}-"):
            try:
                return _forced(prefix, read_name(name.removeprefix(f"{prefix}-"), known))
            except UnknownName:
                if name not in known:
                    raise
    if name in known:
        return Named(model=name)
    shown = ", ".join(sorted(known)[:20]) or "no other yet"
    raise UnknownName(f"the model {name!r} does not exist: there are auto, auto-GENERATOR, and {shown}")


def _forced(approach: str, named: Named) -> Named:
    if approach not in _APPROACHES:
        raise InvalidInput(f"optillm_approach {approach!r} is not carried out here: use {', '.join(_APPROACHES)}")
    generators = (named.model,) if named.model is not None else named.generators
    return replace(named, model=None, generators=generators, **_APPROACHES[approach])
