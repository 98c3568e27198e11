"""From how often terms occur in prompts to dense vectors: sublinear tf-idf against fitted term vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.texts.tokens import MAX_CHARACTERS

_TINY = 1e-9
_BLOCK = 128  # prompts whose gathered vectors stay in cache
TERM_WEIGHTS = (1.0 + np.log(np.maximum(np.arange(MAX_CHARACTERS + 1), 1))).astype(np.float32)


def term_weight(count: NDArray[np.int64]) -> Floats:
    """1 + log count of each term; (K,)."""
    return TERM_WEIGHTS.take(count, mode="clip")


def project(
    row: NDArray[np.int64], term: NDArray[np.int64], count: NDArray[np.int64], n: int, vectors: Floats, idf: Floats
) -> Floats:
    """Vectors (n, d) of n prompts: the mean of their terms' `vectors` (terms, d), by the norm of their tf-idf.

    row, term, count: (K,) how often a term occurs in which prompt, by rising row.
    """
    out = np.zeros((n, vectors.shape[1]), dtype=np.float32)
    if not len(row):
        return out
    weight = term_weight(count)
    norm = np.sqrt(np.bincount(row, (weight * idf[term]) ** 2, n))
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    present = row[starts]
    for first in range(0, len(present), _BLOCK):
        block = starts[first : first + _BLOCK]
        end = starts[first + _BLOCK] if first + _BLOCK < len(starts) else len(row)
        gathered = vectors[term[block[0] : end]] * weight[block[0] : end, None]
        out[present[first : first + _BLOCK]] = np.add.reduceat(gathered, block - block[0], axis=0)
    return (out / np.maximum(norm, _TINY)[:, None]).astype(np.float32)
