"""Sequences to learn from, and batches of them of about equal length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

IGNORED = -100
_POOL = 800
"""Sequences that are sorted by length together: enough for little padding, few enough for fresh ones."""


class Row(NamedTuple):
    """Tokens read, and for each the token that is a target there (`IGNORED`: none)."""

    ids: list[int]
    targets: list[int]


class Batch(NamedTuple):
    """Rows side by side: `ids` and `targets` (rows, length); `n_tokens` counts no padding."""

    ids: Tensor
    targets: Tensor
    n_tokens: int


def row(context: Sequence[int], answer: Sequence[int]) -> Row:
    """A context that is read, and an answer that is learned."""
    return Row([*context, *answer], [IGNORED] * len(context) + list(answer))


def batches(draw: Callable[[], Row], rng: np.random.Generator, *, tokens: int, padding: int) -> Iterator[Batch]:
    """Batches of about `tokens` tokens with padding, without end, of rows that `draw` gives."""
    while True:
        rows = sorted((draw() for _ in range(_POOL)), key=lambda one: len(one.ids))
        packed = list(_packed(rows, tokens))
        for place in rng.permutation(len(packed)):
            yield collated(packed[place], padding)


def collated(rows: Sequence[Row], padding: int) -> Batch:
    """Rows of unequal length as one batch."""
    longest = max(len(one.ids) for one in rows)
    ids = torch.full((len(rows), longest), padding)
    targets = torch.full((len(rows), longest), IGNORED)
    for place, one in enumerate(rows):
        ids[place, : len(one.ids)] = torch.tensor(one.ids)
        targets[place, : len(one.ids)] = torch.tensor(one.targets)
    return Batch(ids, targets, sum(len(one.ids) for one in rows))


def _packed(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """Neighbours of rows that are sorted by length."""
    gathered: list[Row] = []
    for one in rows:
        if gathered and len(one.ids) * (len(gathered) + 1) > tokens:
            yield gathered
            gathered = []
        gathered.append(one)
    if gathered:
        yield gathered
