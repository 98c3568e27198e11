"""What the report says of difficulty on held-out prompts: how well it is foreseen, and what shape pays in each bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planner.core import Arm
from planner.curves.logs import Floats
from planner.difficulty.report import difficulty_report
from planner.policy.held_out import HeldOut
from planner.policy.report import Shape

PREFERRED = ("weighted_vote", "best_of_n", "majority_vote")


def difficulty_of(folds: Sequence[HeldOut]) -> dict[str, Any]:
    """Figures of `difficulty_report`, averaged over the folds with their numbers of prompts as weights."""
    reports = [difficulty_report(fold.policy.predictor, fold.table) for fold in folds]
    return _averaged(reports, [report["n_prompts"] for report in reports])


def _averaged(reports: Sequence[Mapping[str, Any]], weights: Sequence[int]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, first in reports[0].items():
        values = [report[name] for report in reports]
        if isinstance(first, Mapping):
            out[name] = _averaged(values, weights)
        elif isinstance(first, str):
            out[name] = first
        elif name.startswith("n_"):
            out[name] = sum(values)
        else:
            known = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None and np.isfinite(v)]
            out[name] = sum(v * w for v, w in known) / sum(w for _, w in known) if known else None
    return out


def shapes_by_bin(folds: Sequence[HeldOut], members: Sequence[Floats]) -> tuple[Shape, ...]:
    """Accuracy of every breadth x depth of the generators logged in chains, by bin of the prompts' own outcomes."""
    bins = np.concatenate([member.argmax(axis=1) for member in members])
    arms = _chained(folds[0].policy.arms)
    out = []
    for arm in arms:
        outcome = np.concatenate([_outcome(fold, arm) for fold in folds])
        by_bin = tuple(_mean(outcome[bins == b]) for b in range(members[0].shape[1]))
        out.append(
            Shape(
                generator=arm.generator,
                selection=arm.selection,
                generations=arm.breadth * arm.depth,
                breadth=arm.breadth,
                depth=arm.depth,
                accuracy=_mean(outcome),
                accuracy_by_bin=by_bin,
            )
        )
    return tuple(out)


def _chained(arms: Sequence[Arm]) -> list[Arm]:
    """Sampling arms of generators that revise, by generations and depth, under one selection a generator."""
    plain = [arm for arm in arms if arm.search == "sampling" and not arm.params and arm.breadth * arm.depth > 1]
    found: list[Arm] = []
    for generator in sorted({arm.generator for arm in plain if arm.depth > 1}):
        own = [arm for arm in plain if arm.generator == generator]
        selection = next((s for s in PREFERRED if any(arm.selection == s and arm.depth > 1 for arm in own)), None)
        found += [arm for arm in own if arm.selection == selection]
    return sorted(found, key=lambda arm: (arm.generator, arm.breadth * arm.depth, arm.depth))


def _outcome(fold: HeldOut, arm: Arm) -> Floats:
    if arm not in fold.table.arms:
        return np.full(len(fold.table.prompts), np.nan, dtype=np.float32)
    return np.asarray(fold.table.outcome[:, fold.table.arms.index(arm)])


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
