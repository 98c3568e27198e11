"""What k samples already drawn show of a prompt without knowing which are right: agreement and scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.difficulty.latent import Doubles
from planner.difficulty.probe_model import score_logits

N_FEATURES = 10


def probe_basis(answers: NDArray[np.int64], scores: Doubles) -> Doubles:
    """Features of R draws of k samples each; (R, N_FEATURES).

    answers: (R, k) codes, equal iff the answers are, negative for none. scores: (R, k), NaN for none.
    The features: 1; share of the top answer, its square; distinct answers and those without, as shares; mean, least
    and greatest score as logits; the mean's square; the share of the score that the best answer holds.
    """
    n_samples = answers.shape[1]
    same = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, :, None]
    group = same.sum(axis=2)
    top = group.max(axis=1) / n_samples
    distinct = np.where(group > 0, 1.0 / np.maximum(group, 1), 0.0).sum(axis=1) / n_samples
    silent = (answers < 0).mean(axis=1)
    logits = score_logits(scores)
    known = np.isfinite(scores)
    held = np.where(same, np.where(known, scores, 0.0)[:, None, :], 0.0).sum(axis=2)
    total = np.maximum(np.where(known, scores, 0.0).sum(axis=1), 1e-6)
    share = np.where(known.any(axis=1), held.max(axis=1) / total, 0.0)
    mean = logits.mean(axis=1)
    columns = (
        np.ones(len(answers)), top, top**2, distinct, silent,
        mean, logits.min(axis=1), logits.max(axis=1), mean**2 / 4.0, share,
    )  # fmt: skip
    return np.stack(columns, axis=1)


def draw_rows(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], k: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Places of k distinct samples of each prompt, drawn at random; (P, k).

    Prompt i has the samples at starts[i] .. starts[i] + sizes[i]; every size is at least k.
    """
    longest = int(sizes.max())
    # The k least of random keys are a uniform subset, for every prompt at once.
    keys = rng.random((len(sizes), longest))
    keys[np.arange(longest) >= sizes[:, None]] = np.inf
    chosen = np.argsort(keys, axis=1)[:, :k]
    return np.asarray(starts[:, None] + chosen)
