"""Which logged prompts can be compared: arms that share no prompts say nothing of one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable
from planner.policy.baselines import Mask

ENOUGH_SHARED = 20


def comparable(outcome: Floats, cost: Floats) -> Mask:
    """(P,) prompts of the group of arms in which most can be compared, from outcomes and costs (P, A), NaN unknown.

    Arms are of one group where they share 20 prompts, or all those of the arm that has fewer, or where others link
    them so. Where no prompt has a second arm there is nothing to choose a group by, and every graded prompt is told.
    """
    known = np.isfinite(outcome)
    counted = known & np.isfinite(cost)
    best, most = known.any(axis=1), 0
    for group in _groups(known):
        compared = int(np.maximum(counted[:, group].sum(axis=1) - 1, 0).sum())
        if compared > most:
            best, most = known[:, group].any(axis=1), compared
    return np.asarray(best)


def why_left_out(table: OutcomeTable, rows: NDArray[np.intp], n_graded: int) -> str:
    """Why the prompts at `rows` are not compared with the other graded ones."""
    arms = np.flatnonzero(np.isfinite(table.outcome[rows]).any(axis=0))
    names = ", ".join(sorted({name for arm in arms for name in table.arms[arm].generators}))
    return (
        f"left out: {len(rows):,} of {n_graded:,} graded prompts, on which only arms of {names} are logged: they "
        "share too few prompts with the other arms to be compared with them; log both on the same prompts"
    )


def known_mean(values: Floats) -> float:
    """Mean of what is known of `values`; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _groups(known: Mask) -> list[NDArray[np.intp]]:
    """Places of the arms of each group."""
    shared = known.astype(np.float32).T @ known.astype(np.float32)
    own = shared.diagonal()
    linked = (shared > 0) & (shared >= np.minimum(np.minimum.outer(own, own), ENOUGH_SHARED))
    left, groups = own > 0, []
    while left.any():
        group = np.zeros(len(own), dtype=bool)
        found = np.arange(len(own)) == left.argmax()
        while found.any():
            group |= found
            found = linked[found].any(axis=0) & ~group
        left &= ~group
        groups.append(np.flatnonzero(group))
    return groups
