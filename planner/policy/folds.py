"""Folds by prompt: prompts of equal text never stand on both sides of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.core.arguments import check_whole
from planner.curves.logs import PromptTable
from planner.errors import InvalidInput
from planner.texts.kept import equal_texts

LARGEST_SEED = 2**31 - 1
"""What draws from it takes no larger one, and none below zero."""


def check_seed(seed: int) -> None:
    """Raise InvalidInput for a seed from which a fit or an evaluation could not draw."""
    check_whole("seed", seed)
    if not 0 <= seed <= LARGEST_SEED:
        raise InvalidInput(f"the seed {seed} cannot be used: give a whole number from 0 to {LARGEST_SEED:,}")


def fold_of_prompts(prompts: PromptTable, n_folds: int, seed: int) -> NDArray[np.intp]:
    """(P,) the fold of each prompt, 0 to n_folds - 1, of about equal sizes; equal texts share one.

    Where all have one text, no fold could be held out by it, and they are taken apart.
    Raises InvalidInput for less than two folds: what is held out would be all that there is to fit on.
    """
    check_whole("folds", n_folds)
    if n_folds < 2:
        raise InvalidInput(f"{n_folds} folds leave nothing to fit on: give at least 2")
    texts = equal_texts(prompts.texts)
    names = [prompts.ids[i] if text is None else "\0" + " ".join(text.split()) for i, text in enumerate(texts)]
    names = names if len(set(names)) > 1 else list(prompts.ids)
    _, group, sizes = np.unique(names, return_inverse=True, return_counts=True)
    order = np.random.default_rng([seed, n_folds]).permutation(len(sizes))
    fold = np.empty(len(sizes), dtype=np.intp)
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    fold[order] = np.minimum(middle * n_folds // max(len(names), 1), n_folds - 1)
    return fold[group]
