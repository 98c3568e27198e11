"""Votes over subsets of samples by matrix products: exact where subsets can be listed, else Monte Carlo."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats

N_LISTED = 256  # up to so many subsets all are listed
N_SUBSETS = 96  # of more, so many are drawn: the noise of one prompt's outcome is .05 at most
_SAME = np.float32(1 - 1e-5)  # sums of float32 scores that differ by less are equal


def subsets(n: int, k: int, rng: np.random.Generator) -> Floats:
    """Indicator matrix (subsets, n) of k of n: all of them where they are few, else a balanced random choice.

    Random subsets are cut from permutations, so that within one permutation every sample is used at most
    once.
    """
    if comb(n, k) <= N_LISTED:
        chosen = np.array(list(combinations(range(n), k)))
    else:
        blocks = n // k
        rounds = -(-N_SUBSETS // blocks)
        chosen = rng.permuted(np.tile(np.arange(n), (rounds, 1)), axis=1)[:, : blocks * k].reshape(-1, k)[:N_SUBSETS]
    matrix = np.zeros((len(chosen), n), dtype=np.float32)
    np.put_along_axis(matrix, chosen, np.float32(1), axis=1)
    return matrix


def tally(codes: NDArray[np.int64], weights: Floats, n_groups: int) -> Floats:
    """Weight by (chain, group, prompt); codes and weights are (prompts, chains, attempts), -1 abstains."""
    prompts, chains, _ = codes.shape
    prompt, chain, attempt = np.nonzero(codes >= 0)
    cell = (chain * n_groups + codes[prompt, chain, attempt]) * prompts + prompt
    sums = np.bincount(cell, weights[prompt, chain, attempt], minlength=chains * n_groups * prompts)
    return sums.astype(np.float32).reshape(chains, n_groups, prompts)


def vote(subset: Floats, tallies: Floats, values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Worth of the winning answer and whether anyone voted, both (subsets, prompts).

    subset: (subsets, chains) indicators; tallies: (chains, groups, prompts); values: (groups, prompts).
    Answers of equal weight share the win.
    """
    chains, groups, prompts = tallies.shape
    totals = (subset @ tallies.reshape(chains, -1)).reshape(len(subset), groups, prompts)
    top = totals.max(axis=1)
    tied = totals >= (top * _SAME)[:, None]
    won = np.where(tied, values, np.float32(0)).sum(axis=1) / tied.sum(axis=1, dtype=np.float32)
    return won, top > 0
