from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from planner.core import Arm, ModelCard
from planner.curves.logs import Pool, PromptTable
from planner.curves.table import OutcomeTable, PoolTable, Slots, Usage
from planner.difficulty.belief import SOURCES, Belief


@dataclass(frozen=True)
class Case:
    """Prompts of two generators with N = 1 to 16: `table`, `belief`, `membership` and the true accuracy (P, A)."""

    table: OutcomeTable
    belief: Belief
    membership: np.ndarray
    truth: np.ndarray

    def take(self, rows):
        return Case(self.table.take_prompts(rows), self.belief.take(rows), self.membership[rows], self.truth[rows])


N_BINS = 3
SIZES = (1, 2, 4, 8, 16)
MODELS = {
    "small": ModelCard(
        name="small", active_params=1e6, usd_per_million_prompt_tokens=1, usd_per_million_completion_tokens=2
    ),
    "large": ModelCard(name="large", active_params=1e7),
}


def make_case(n_prompts=300, *, samples=32, seed=0, text=0.8, by_dataset=0.0, tokens_vary=False, single=False) -> Case:
    rng = np.random.default_rng(seed)
    arms = tuple(
        Arm(generator=name, selection="first" if n == 1 else "majority_vote", breadth=n)
        for name in ("small", "large")
        for n in SIZES
    )
    bins = rng.integers(0, N_BINS, n_prompts)
    dataset = rng.integers(0, 2, n_prompts)
    size = np.array([arm.breadth for arm in arms])
    large = np.array([arm.generator == "large" for arm in arms])
    logit = 2.0 - 2.0 * bins[:, None] + (1.0 - 0.8 * bins[:, None]) * np.log2(size) / 4 + 0.8 * large
    logit = logit + by_dataset * (2 * dataset[:, None] - 1) * np.where(large, 1, -1)
    truth = 1 / (1 + np.exp(-logit))
    outcome = rng.binomial(samples, truth) / samples
    weight = np.full(truth.shape, float(samples))
    if single:
        kept = rng.integers(0, len(arms), n_prompts)[:, None] == np.arange(len(arms))
        outcome, weight = np.where(kept, outcome, np.nan), np.where(kept, weight, 0)
    longer = 1 + 0.5 * bins * tokens_vary
    characters = np.full(n_prompts, 100.0) if not tokens_vary else rng.uniform(50, 150, n_prompts)
    prompt, completion = characters / 5, 80 * longer
    use = Usage(*(np.asarray(a, np.float32) for a in (
        np.ones((n_prompts, 1)) * size, prompt[:, None] * size, completion[:, None] * size,
        np.full(truth.shape, np.nan),
    )))  # fmt: skip
    unknown = np.full(truth.shape, np.nan, np.float32)
    pool = np.float32
    table = OutcomeTable(
        prompts=PromptTable(
            tuple(map(str, range(n_prompts))), ("x",) * n_prompts, (None,) * n_prompts, ({},) * n_prompts
        ),
        arms=arms,
        models=MODELS,
        outcome=outcome.astype(np.float32),
        weight=weight.astype(np.float32),
        slots=Slots(
            np.arange(len(arms), dtype=np.int32),
            tuple(arm.generator for arm in arms),
            (None,) * len(arms),
            large.astype(np.int32),
            np.zeros(len(arms), np.float32),
        ),
        expected=use,
        worst=replace(use, completion_tokens=use.completion_tokens * np.float32(1)),
        latency_seconds=unknown,
        latency_worst_seconds=unknown,
        extrapolated=np.zeros(len(arms), dtype=bool),
        pools=PoolTable(
            (Pool("small"), Pool("large")),
            np.full((n_prompts, 2), samples, pool),
            np.full((n_prompts, 2), samples / 2, pool),
            np.repeat(prompt[:, None], 2, 1).astype(pool),
            np.repeat(completion[:, None], 2, 1).astype(pool),
            np.full((n_prompts, 2), np.nan, pool),
        ),
    )  # fmt: skip
    seen = np.where(rng.random(n_prompts) < text, bins, rng.integers(0, N_BINS, n_prompts))
    posterior = np.eye(N_BINS)[seen] * text + (1 - text) / N_BINS
    features = np.column_stack([2.0 * dataset - 1, rng.standard_normal((n_prompts, 6))])
    belief = Belief(
        features.astype(np.float32),
        posterior[:, 0].astype(np.float32),
        posterior.astype(np.float32),
        np.ones(n_prompts, dtype=bool),
        characters.astype(np.float32),
        np.full(n_prompts, SOURCES.index("text"), dtype=np.int8),
    )
    return Case(table, belief, np.eye(N_BINS, dtype=np.float32)[bins], truth)


@pytest.fixture
def case():
    return make_case
