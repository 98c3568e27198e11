"""A first reading for verifiers whose scores are on a scale of their own: their scores, and grades beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.formats.problems import Problems
from planner.formats.reading import read_runs
from planner.formats.scales import verifiers_of

Numbers = NDArray[np.float64]
_MOST = 1_000_000  # two parameters are known well enough from the first million


def survey_scores(
    files: Sequence[Path], format_name: str, verifiers: Collection[str]
) -> dict[str, tuple[Numbers, Numbers]]:
    """Scores and grades (NaN where there is none) of each verifier's samples in the files."""
    scores: dict[str, list[float]] = {name: [] for name in verifiers}
    grades: dict[str, list[float]] = {name: [] for name in verifiers}
    for path in files:
        for read in read_runs(path, format=format_name, problems=Problems(skip=True)):
            samples = read.batch.samples
            for name, score, correct in zip(verifiers_of(read.batch), samples.score, samples.correct, strict=True):
                if name in scores and score is not None and len(scores[name]) < _MOST:
                    scores[name].append(score)
                    grades[name].append(np.nan if correct is None else correct)
    return {name: (np.array(scores[name]), np.array(grades[name])) for name in verifiers}
