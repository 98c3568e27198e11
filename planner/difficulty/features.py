"""Quick dense features of prompts: a gather from fitted token vectors, counts of signs, data set and metadata.

As good as a pipeline of Tfidf and TruncatedSVD, in a small part of its time for one prompt (see `make bench`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.named_columns import NamedColumns
from planner.difficulty.projection import project
from planner.difficulty.tokens import UNKNOWN, TokenTable
from planner.texts.characters import CLASSES, character_counts
from planner.texts.kept import Text

N_COMPONENTS = 48
_COUNTED = np.array([True, True, False, False, *[True] * len(CLASSES), True])
"""Which columns after the vectors are counts, taken as logarithms: all but the magnitudes, which are some already."""


@dataclass(frozen=True)
class RawFeatures:
    """Features before scaling: dense (P, F), share of the words that are known (P,), lengths in characters (P,)."""

    dense: Floats
    known_share: Floats
    n_characters: Floats


def number_columns(width: int) -> list[int]:
    """Features that tell of numbers alone, `width` being that of the token vectors before them."""
    return [width + 1, width + 2, width + 3, width + 4 + CLASSES.index("digit")]


@dataclass(frozen=True)
class QuickFeatures:
    """Fitted token vectors and categories; `transform` turns prompts into features.

    vectors: (n_terms, d) token and bigram vectors, weighted by rarity; row 0 is zero.
    pairs: (n_pairs,) sorted codes `first * n_codes + second` of the bigrams that have a vector.
    """

    tokens: TokenTable
    vectors: Floats
    idf: Floats
    pairs: NDArray[np.int64]
    named: NamedColumns
    digits: Floats
    is_word: NDArray[np.bool_]

    @property
    def number_columns(self) -> list[int]:
        """Features that tell of numbers alone: a number may be greater than any before in a prompt like the others."""
        return number_columns(self.vectors.shape[1])

    def transform(
        self,
        texts: Sequence[Text],
        datasets: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> RawFeatures:
        """Features of the prompts; data sets and metadata that are not given are unknown, and so are hashed texts."""
        plain = [text if isinstance(text, str) else "" for text in texts]
        codes, lengths = self.tokens.encode(plain)
        n_characters = np.array([len(text) for text in plain], dtype=np.float32)
        counts, known = self._count(codes, lengths)
        signs = np.concatenate([counts, character_counts(plain), n_characters[:, None]], axis=1, dtype=np.float32)
        np.log1p(signs, out=signs, where=_COUNTED)
        parts = [self._project(codes, lengths), signs, *self.named.transform(len(plain), datasets, metadata)]
        return RawFeatures(np.concatenate(parts, axis=1, dtype=np.float32), known, n_characters)

    @cached_property
    def of_code(self) -> Floats:
        """(n_codes, 4) whether a code is a number, its magnitude, whether a known word, whether an unknown one."""
        known = self.is_word.astype(np.float32)
        unknown = (np.arange(len(known)) == UNKNOWN).astype(np.float32)
        return np.stack([(self.digits > 0).astype(np.float32), self.digits, known, unknown], axis=1)

    def _count(self, codes: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """How many tokens and numbers, the mean and greatest magnitude of these; and the share of words known."""
        (filled,) = lengths.nonzero()
        columns, share = np.zeros((len(lengths), 4), dtype=np.float32), np.zeros(len(lengths), dtype=np.float32)
        if not len(filled):
            return columns, share
        starts = (lengths.cumsum() - lengths)[filled]
        per_token = self.of_code.take(codes, axis=0)
        sums = np.add.reduceat(per_token, starts, axis=0)
        numbers, total, known, unknown = sums.T
        sums[:, 1] = total / np.maximum(numbers, 1)
        share[filled] = known / np.maximum(known + unknown, 1)
        sums[:, 2] = np.maximum.reduceat(per_token[:, 1], starts)
        columns[filled, 1:] = sums[:, :3]
        columns[:, 0] = lengths
        return columns, share

    def terms(
        self, codes: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and term numbers (tokens, then bigrams) of all tokens; unknown ones are left out."""
        row = np.repeat(np.arange(len(lengths)), lengths)
        keep = codes > 0
        if not len(self.pairs) or len(codes) < 2:
            return row[keep], codes[keep]
        pair = codes[:-1] * len(self.tokens) + codes[1:]
        place = self.pairs.searchsorted(pair)
        found = (self.pairs.take(place, mode="clip") == pair) & (row[:-1] == row[1:])
        bigram = place[found] + len(self.tokens)
        return np.concatenate([row[keep], row[:-1][found]]), np.concatenate([codes[keep], bigram])

    def _project(self, codes: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
        row, term = self.terms(codes, lengths)
        key, count = np.unique(row * len(self.idf) + term, return_counts=True)
        row, term = np.divmod(key, len(self.idf))
        return project(row, term, count, len(lengths), self.vectors, self.idf)
