"""Grades of samples, completed where an equal answer is graded."""

from __future__ import annotations

import numpy as np

from planner.curves.logs import Floats, SampleTable


def known_grades(samples: SampleTable) -> Floats:
    """Correctness of every sample, NaN where it cannot be known.

    A sample without a grade has that of equal answers to the same prompt. One that gave no answer is not
    correct, if other samples of the pool gave answers and others of the prompt are graded: there was nothing
    to grade.
    """
    ungraded = np.isnan(samples.correct)
    if not ungraded.any():
        return samples.correct
    result = samples.correct.copy()
    answered = samples.answer >= 0
    pair = samples.prompt.astype(np.int64) << 32 | samples.answer.astype(np.int64) & 0xFFFFFFFF
    known = answered & ~ungraded
    pairs, place = np.unique(pair[known], return_inverse=True)
    if pairs.size:
        mean = np.bincount(place, samples.correct[known]) / np.bincount(place)
        wanted = np.flatnonzero(ungraded & answered)
        at = np.minimum(np.searchsorted(pairs, pair[wanted]), pairs.size - 1)
        result[wanted] = np.where(pairs[at] == pair[wanted], mean[at], np.nan)
    answering = np.unique(samples.pool[answered])
    graded = np.unique(samples.prompt[~ungraded])
    result[ungraded & ~answered & np.isin(samples.pool, answering) & np.isin(samples.prompt, graded)] = 0
    return result
