"""Searches by name: the modules of `searches`, and third parties' by entry points.

Another package brings one with these lines in its pyproject.toml (selections: `planner.selections`):

    [project.entry-points."planner.strategies"]
    one_by_one = "their_package.one_by_one:STRATEGY"
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Generic, TypeVar

from planner.core import Arm
from planner.errors import UnknownStrategy
from planner.strategies.parameters import Choosing
from planner.strategies.plugins import with_plugins
from planner.strategies.pool import Pool, Search
from planner.strategies.task import Task

GROUP = "planner.strategies"
P = TypeVar("P", bound=Choosing)


@dataclass(frozen=True)
class Strategy(Generic[P]):
    """One search: `run(arm, task, pool, parameters)` yields requests and adds finished candidates to the pool.

    needs_verifier: it goes by scores of unfinished answers, so that its arms name a verifier.
    """

    name: str
    run: Callable[[Arm, Task, Pool, P], Search]
    parameters: type[P]
    summary: str
    needs_verifier: bool = False


@cache
def registered() -> Mapping[str, Strategy[Any]]:
    """Every search by name, built-ins first.

    Raises InvalidInput where a third party's cannot be loaded, is no `Strategy`, or takes another's name.
    """
    return with_plugins(GROUP, Strategy, _built_in())


def strategy_of(name: str) -> Strategy[Any]:
    """The search of that name; raises UnknownStrategy."""
    known = registered()
    if name not in known:
        raise UnknownStrategy(f"no search {name!r} is known: use one of {', '.join(known)}")
    return known[name]


def _built_in() -> list[Strategy[Any]]:
    package = import_module("planner.strategies.searches")
    names = [found.name for found in pkgutil.iter_modules(package.__path__) if not found.name.startswith("_")]
    return [import_module(f"{package.__name__}.{name}").STRATEGY for name in names]
