"""What is believed of the difficulty of some prompts: the plain result that the other rooms read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats

Source = Literal["prior", "text", "probes"]
SOURCES: tuple[Source, ...] = ("prior", "text", "probes")
FEATURE_LIMIT = 4.0
"""Standard deviations: beyond them the logs say nothing of what a feature does."""


@dataclass(frozen=True)
class Belief:
    """Posterior of the difficulty of P prompts over B bins; bin 0 is the easiest.

    features: (P, F) quick text features, standardised on the training prompts; 0 is the average prompt.
    pass_rate: (P,) posterior mean of the pass rate (pass@1) of the reference generator.
    bins: (P, B) posterior over the bins, rows sum to 1.
    in_distribution: (P,) whether the prompt is near those that were logged.
    n_characters: (P,) length of the text.
    source: (P,) int8, index into `SOURCES`: what moved the posterior away from the prior.
    """

    features: Floats
    pass_rate: Floats
    bins: Floats
    in_distribution: NDArray[np.bool_]
    n_characters: Floats
    source: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.pass_rate)

    @cached_property
    def bounded(self) -> Floats:
        """(P, F) the features, none beyond what the logs say of it."""
        return np.minimum(np.maximum(self.features, -FEATURE_LIMIT), FEATURE_LIMIT)

    def take(self, rows: Sequence[int] | NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Belief:
        """The beliefs of the prompts at `rows` (indices or a mask)."""
        index = np.asarray(rows)
        if not index.size:
            index = index.astype(np.intp)
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(Belief)})

    def replaced(self, rows: Sequence[int], others: Belief) -> Belief:
        """The same beliefs but for the prompts at `rows`, of which `others` are believed."""

        def mixed(name: str) -> NDArray[Any]:
            values = np.array(getattr(self, name))
            values[list(rows)] = getattr(others, name)
            return values

        return replace(self, **{f.name: mixed(f.name) for f in fields(Belief)})
