"""Features of prompts from their sketches, where the texts of some that are logged are not stored.

They are the features of `QuickFeatures` with classes of words for words, and without pairs of them. One log may hold
texts and sketches: then texts are sketched, at the fit and when a recommendation is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.features import N_COMPONENTS, RawFeatures, number_columns
from planner.difficulty.fit_features import term_vectors
from planner.difficulty.named_columns import NamedColumns
from planner.difficulty.projection import project
from planner.texts.kept import HashedText, Text
from planner.texts.sketch import N_TERMS, WORD_CLASSES, Sketches, read_sketches, sketch

_LEAST_PROMPTS = 2
# A word of a foreign text falls into a known class by chance: so often at most.
_KNOWN_SHARE = 0.25
_EMPTY = sketch("")


@dataclass(frozen=True)
class SketchFeatures:
    """Fitted vectors of the classes; `transform` turns prompts into features.

    vectors: (N_TERMS, d), weighted by rarity. idf: (N_TERMS,). known: (N_TERMS,) whether a class is of words that
    many logged prompts hold: what a prompt is like them by.
    """

    vectors: Floats
    idf: Floats
    known: NDArray[np.bool_]
    named: NamedColumns

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
        """Features of the prompts; what is not given is unknown, and so is a text without a readable sketch."""
        given = read_sketches([_sketch_of(text) for text in texts])
        n_characters = given.n_characters.astype(np.float32)
        parts = [
            self._project(given),
            np.log1p(given.n_tokens, dtype=np.float32)[:, None],
            np.log1p(given.n_numbers, dtype=np.float32)[:, None],
            given.mean_magnitude[:, None],
            given.greatest_magnitude[:, None],
            np.log1p(given.characters, dtype=np.float32),
            np.log1p(n_characters)[:, None],
            *self.named.transform(len(given), datasets, metadata),
        ]
        return RawFeatures(np.concatenate(parts, axis=1, dtype=np.float32), self._known_share(given), n_characters)

    def _project(self, given: Sketches) -> Floats:
        return project(given.row, given.term, given.count, len(given), self.vectors, self.idf)

    def _known_share(self, given: Sketches) -> Floats:
        """Share of each prompt's words whose class is known; (P,)."""
        words = given.term < WORD_CLASSES
        row, count = given.row[words], given.count[words]
        known = np.bincount(row, count * self.known[given.term[words]], len(given))
        return (known / np.maximum(np.bincount(row, count, len(given)), 1)).astype(np.float32)


def needs_sketches(texts: Sequence[Text]) -> bool:
    """Whether there is something to be learned from a prompt that has a sketch alone."""
    return any(isinstance(text, HashedText) and text.is_readable for text in texts)


def fit_sketch_features(
    texts: Sequence[Text],
    datasets: Sequence[str | None],
    metadata: Sequence[Mapping[str, Any]],
    *,
    metadata_features: Sequence[str] = (),
    n_components: int = N_COMPONENTS,
    seed: int = 0,
) -> SketchFeatures:
    """Vectors of the classes from texts and sketches, known data sets and metadata values."""
    given = read_sketches([_sketch_of(text) for text in texts])
    prompts = np.bincount(given.term, minlength=N_TERMS)
    often = prompts >= _LEAST_PROMPTS
    kept = often[given.term]
    vectors, idf = term_vectors(
        given.row[kept], given.term[kept], given.count[kept], (len(given), N_TERMS),
        n_components=n_components, seed=seed,
    )  # fmt: skip
    return SketchFeatures(
        vectors=vectors,
        idf=np.where(often, idf, np.float32(0)),
        known=_known_classes(prompts),
        named=NamedColumns.fit(datasets, metadata, metadata_features),
    )


def _known_classes(prompts: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """The classes of words that most prompts hold, (N_TERMS,), but so many at most that a strange word has a chance."""
    words = prompts[:WORD_CLASSES]
    known = np.zeros(N_TERMS, dtype=np.bool_)
    known[np.argsort(-words, kind="stable")[: int(_KNOWN_SHARE * WORD_CLASSES)]] = True
    known[:WORD_CLASSES] &= words >= _LEAST_PROMPTS
    return known


def _sketch_of(text: Text) -> bytes:
    if isinstance(text, HashedText):
        return text.sketch if text.sketch is not None and text.is_readable else _EMPTY
    return sketch(text) if text else _EMPTY
