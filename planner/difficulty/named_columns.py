"""Features of what a prompt is named by beside its text: its data set, and metadata."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from planner.curves.logs import Floats

MOST_CATEGORIES = 200


@dataclass(frozen=True)
class NamedColumns:
    """Known values of each category (the data set is named ""), and the names of metadata that are numbers."""

    categories: tuple[tuple[str, tuple[str, ...]], ...]
    numeric: tuple[str, ...]

    @classmethod
    def fit(cls, datasets: Sequence[str | None], metadata: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Self:
        """Known data sets, and the values of the metadata of these names."""
        categories = []
        known = _frequent(datasets)
        if len(known) > 1:
            categories.append(("", known))
        numeric = []
        for name in names:
            values = [row.get(name) for row in metadata]
            present = [value for value in values if value is not None]
            if present and all(not isinstance(v, bool) and not np.isnan(_as_number(v)) for v in present):
                numeric.append(name)
            else:
                categories.append((name, _frequent(present)))
        return cls(tuple(categories), tuple(numeric))

    def transform(
        self,
        n: int,
        datasets: Sequence[str | None] | None,
        metadata: Sequence[Mapping[str, Any]] | None,
    ) -> list[Floats]:
        """Columns of n prompts, each (n, values); a value that is not known has no column, an unknown number is NaN."""
        columns = []
        for name, values in self.categories:
            given = _values(name, n, datasets, metadata)
            place = {value: i for i, value in enumerate(values)}
            one_hot = np.zeros((n, len(values)), dtype=np.float32)
            for i, value in enumerate(given):
                if value is not None and (j := place.get(str(value))) is not None:
                    one_hot[i, j] = 1.0
            columns.append(one_hot)
        for name in self.numeric:
            given = [_as_number(value) for value in _values(name, n, datasets, metadata)]
            columns.append(np.array(given, dtype=np.float32)[:, None])
        return columns


def _frequent(values: Sequence[Any]) -> tuple[str, ...]:
    counts = Counter(str(value) for value in values if value is not None)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return tuple(sorted(ranked[:MOST_CATEGORIES]))


def _values(
    name: str, n: int, datasets: Sequence[str | None] | None, metadata: Sequence[Mapping[str, Any]] | None
) -> list[Any]:
    if name == "":
        return [None] * n if datasets is None else list(datasets)
    return [None] * n if metadata is None else [(row or {}).get(name) for row in metadata]


def _as_number(value: object) -> float:
    """A metadata value as a number; NaN where it is none."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return math.nan
