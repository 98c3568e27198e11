"""From runs to exact outcome curves. Names are imported when first asked for, since scipy is slow to load."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.curves.cascade import cascade_table, replay_cascades
    from planner.curves.concatenation import concatenate_arms
    from planner.curves.exact import best_of_n, majority_vote, pass_at_k
    from planner.curves.extrapolation import (
        BetaBinomial,
        beta_binomial_pass_at_k,
        extrapolate_pass_at_k,
        fit_beta_binomial,
    )
    from planner.curves.pool_arms import pool_curves
    from planner.curves.stop import choose, should_stop
    from planner.curves.tabulation import tabulate

_HOMES = {
    "BetaBinomial": "extrapolation",
    "best_of_n": "exact",
    "beta_binomial_pass_at_k": "extrapolation",
    "cascade_table": "cascade",
    "choose": "stop",
    "concatenate_arms": "concatenation",
    "extrapolate_pass_at_k": "extrapolation",
    "fit_beta_binomial": "extrapolation",
    "majority_vote": "exact",
    "pass_at_k": "exact",
    "pool_curves": "pool_arms",
    "replay_cascades": "cascade",
    "should_stop": "stop",
    "tabulate": "tabulation",
    "voting": "voting",
}

__all__ = [
    "BetaBinomial",
    "best_of_n",
    "beta_binomial_pass_at_k",
    "cascade_table",
    "choose",
    "concatenate_arms",
    "extrapolate_pass_at_k",
    "fit_beta_binomial",
    "majority_vote",
    "pass_at_k",
    "pool_curves",
    "replay_cascades",
    "should_stop",
    "tabulate",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES[name]}")
    return module if name == _HOMES[name] else getattr(module, name)
