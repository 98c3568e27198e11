"""What single samples of each pool are like, prompt by prompt."""

from __future__ import annotations

import numpy as np

from planner.curves.grades import known_grades
from planner.curves.logs import Floats, Logs
from planner.curves.table import PoolTable
from planner.curves.units import Chains, chains_of
from planner.curves.usage import verifier_tokens


def pool_table(logs: Logs) -> PoolTable:
    """First attempts of every pool on every prompt: graded samples, correct ones, and mean tokens of all."""
    shape = (len(logs.prompts), len(logs.pools))
    n_samples, n_correct = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    tokens = [np.full(shape, np.nan, np.float32) for _ in range(3)]
    grades = known_grades(logs.samples)
    for pool in range(len(logs.pools)):
        chains = chains_of(logs.samples, pool)
        correct = grades[chains.start]
        graded = np.isfinite(correct)
        n_samples[:, pool] = np.bincount(chains.prompt[graded], minlength=shape[0])
        n_correct[:, pool] = np.bincount(chains.prompt[graded], correct[graded], minlength=shape[0])
        samples = logs.samples
        columns = (samples.prompt_tokens, samples.completion_tokens, verifier_tokens(samples, chains))
        for target, column in zip(tokens, columns, strict=True):
            target[:, pool] = _mean_by_prompt(column[chains.start], chains, shape[0])
    return PoolTable(logs.pools, n_samples, n_correct, *tokens)


def _mean_by_prompt(values: Floats, chains: Chains, n_prompts: int) -> Floats:
    known = np.isfinite(values)
    counts = np.bincount(chains.prompt[known], minlength=n_prompts)
    sums = np.bincount(chains.prompt[known], values[known], minlength=n_prompts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
