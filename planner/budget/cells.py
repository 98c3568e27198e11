"""Expected outcome of every (bin, arm) cell: a hierarchical logistic model with partial pooling (METHODS 6.2).

The logit of a cell is drawn from a Gaussian prior: bins, families within bins with a slope in log2 N, arms and
single cells each add their part. The prior's strengths are chosen by marginal likelihood, so thin cells borrow from
their family and well-filled cells keep their own mean. Nothing is forced to rise or fall with N.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class CellCounts:
    """Effective outcomes of each cell: `n` of them, `right` of which correct; (B, A)."""

    n: Doubles
    right: Doubles


@dataclass(frozen=True)
class Cells:
    """Posterior of the cells: mean and standard deviation of the logit, (B, A), and the accuracy at the mean."""

    logit: Doubles
    logit_sd: Doubles

    @property
    def accuracy(self) -> Doubles:
        """(B, A) expected accuracy."""
        return sigmoid(self.logit)


def sigmoid(x: Doubles) -> Doubles:
    """Logistic function."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def count(outcome: Doubles, weight: Doubles, membership: Doubles) -> CellCounts:
    """Outcomes (P, A) shared out to the bins by `membership` (P, B); `weight` (P, A) effective samples, 0 for none."""
    right = np.where(weight > 0, np.nan_to_num(outcome) * weight, 0.0)
    return CellCounts(membership.T @ weight, membership.T @ right)


def family(arm: Arm) -> str:
    """What arms must share to be thought alike but for the number of generations."""
    if arm.search == "cascade":
        stages = "+".join(f"{stage.generator}/{stage.verifier or ''}/{stage.draw}" for stage in arm.stages)
        return f"cascade {stages} {arm.selection}"
    selection = "vote" if arm.breadth * arm.depth == 1 else arm.selection
    return f"{arm.generator} {arm.search} {selection} {arm.verifier or ''}"
