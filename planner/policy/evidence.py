"""Whether what is logged is enough to choose by prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.curves.table import OutcomeTable
from planner.difficulty.evidence import run_shares

LEAST_PROMPTS = 30
LEAST_OUTCOMES = 500


@dataclass(frozen=True)
class Evidence:
    """What a policy rests on: prompts with any outcome, and graded samples and runs."""

    n_prompts: int
    n_outcomes: int

    @classmethod
    def of(cls, table: OutcomeTable) -> Evidence:
        """Count the evidence of a table; samples, and runs of a search, that several arms replay count once."""
        samples = np.nansum(table.pools.n_samples, axis=1) if len(table.pools.pools) else np.zeros(len(table.prompts))
        graded = np.where(np.isfinite(table.outcome), table.weight * run_shares(table), 0)
        # A run that is one outcome of its arm is in no pool: count those prompts by their arms.
        outcomes = np.where(samples > 0, samples, graded.sum(axis=1))
        return cls(int((outcomes > 0).sum()), round(float(outcomes.sum(dtype=np.float64))))

    @property
    def too_thin(self) -> str | None:
        """Why a choice by prompt would be guesswork, or None where the evidence is enough."""
        if self.n_prompts < LEAST_PROMPTS:
            return f"only {self.n_prompts} prompts are logged, a choice by prompt needs {LEAST_PROMPTS}"
        if self.n_outcomes < LEAST_OUTCOMES:
            return f"only {self.n_outcomes} graded outcomes are logged, a choice by prompt needs {LEAST_OUTCOMES}"
        return None
