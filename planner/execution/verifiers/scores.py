"""What a scoring server says of a candidate: one score, or one a step, in whatever nesting; mapped to 0..1."""

from __future__ import annotations

import math
from typing import Any, Literal


class Scale:
    """Maps a verifier's raw scores to 0..1.

    probability: as they are; one outside of 0..1 is none. logit: by the logistic function.
    None: probabilities until a score lies outside of 0..1, which shows that all of them are logits; from then on
    every score is mapped, so that those of one run stay comparable after the first batch.
    """

    def __init__(self, kind: Literal["probability", "logit"] | None = None) -> None:
        self._kind = kind

    def learn(self, raw: list[float]) -> None:
        """Take in scores of one reply before they are mapped."""
        if self._kind is None and any(not 0.0 <= score <= 1.0 for score in raw):
            self._kind = "logit"

    def mapped(self, raw: float) -> float | None:
        """The score in 0..1; None where it can't be one."""
        if self._kind == "logit":
            return 1.0 / (1.0 + math.exp(-raw)) if raw > -700.0 else 0.0
        return raw if 0.0 <= raw <= 1.0 else None


def read_scores(item: Any, *, by_step: bool = False) -> tuple[list[float], bool] | None:  # noqa: ANN401
    """Raw scores of a candidate and whether they are of its steps; None where there are none to be read.

    A number is the candidate's score, a list has one a step; of a list of rows each is a step's, by its last column
    (rows of two: probabilities of wrong and right). by_step: a list of one is a step's too, else the candidate's.
    """
    if not isinstance(item, list):
        score = _number(item)
        return None if score is None else ([score], False)
    rows = any(isinstance(part, list) for part in item)
    scores = [_number(part[-1] if isinstance(part, list) and part else part) for part in item]
    found = [score for score in scores if score is not None]
    if not found or len(found) < len(scores):
        return None
    return found, by_step or rows or len(found) > 1


def _number(value: Any) -> float | None:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
