"""FLOPs of logged runs: the log has tokens, and model cards say what one of them takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from planner.core import ModelCard, Run
from planner.execution.prices import FLOPS_PER_PARAMETER
from planner.execution.session import SEARCH
from planner.store import Store
from planner.store.outcomes import Served

_OF_SEVERAL = ("cascade", SEARCH)
"""Searches that may call other generators than the one that their runs are logged under."""


def with_flops(store: Store, served: Sequence[Served]) -> list[Served]:
    """The same, with the FLOPs of what was carried out; they stay None where tokens or cards do not tell them."""
    ids = [one.realised.run_id for one in served if one.realised is not None]
    if not ids:
        return list(served)
    cards = {one.card.name: one.card for one in store.models()}
    found = {run.run_id: flops(run, cards) for run in store.find_runs(ids)}
    return [one if one.realised is None else _with(one, found.get(one.realised.run_id)) for one in served]


def flops(run: Run, cards: Mapping[str, ModelCard]) -> float | None:
    """What a run took: all tokens that are logged; caches of servers are not in the log."""
    if run.prompt_tokens is None or run.completion_tokens is None or (run.search in _OF_SEVERAL and not run.samples):
        return None
    written = [
        (one.generator or run.generator, (one.prompt_tokens or 0) + (one.completion_tokens or 0)) for one in run.samples
    ]
    scored = [(one.verifier or run.verifier, one.verifier_tokens or 0) for one in run.samples]
    parts = _by_model(run.prompt_tokens + run.completion_tokens, written or [(run.generator, 0)])
    verdicts = _by_model(run.verifier_tokens or 0, scored or [(run.verifier, 0)])
    if parts is None or verdicts is None or (run.verifier_tokens is None and verdicts.keys() != {None}):
        return None
    total = 0.0
    for name, tokens in (*parts.items(), *verdicts.items()):
        params = getattr(cards.get(name or ""), "active_params", None)
        if tokens and params is None:
            return None
        total += FLOPS_PER_PARAMETER * (params or 0.0) * tokens
    return total


def _by_model(total: int, parts: Collection[tuple[str | None, int]]) -> Mapping[str | None, int] | None:
    """A run's tokens by model; None where there are several, and its samples do not say whose all of them were."""
    names = {name for name, _ in parts}
    if len(names) == 1:
        return {names.pop(): total}
    sums: Counter[str | None] = Counter()
    for name, tokens in parts:
        sums[name] += tokens
    return sums if sums.total() == total else None


def _with(one: Served, took: float | None) -> Served:
    assert one.realised is not None
    cost = one.realised.cost.model_copy(update={"flops": took})
    return one._replace(realised=one.realised._replace(cost=cost))
