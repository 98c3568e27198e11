"""Fits the token vectors: tf-idf of words and bigrams, then truncated SVD (Deerwester et al. 1990)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.features import N_COMPONENTS, QuickFeatures
from planner.difficulty.named_columns import NamedColumns
from planner.difficulty.tokens import TokenTable
from planner.texts.kept import Text

MOST_PAIRS = 20_000


def fit_features(
    texts: Sequence[Text],
    datasets: Sequence[str | None],
    metadata: Sequence[Mapping[str, Any]],
    *,
    metadata_features: Sequence[str] = (),
    n_components: int = N_COMPONENTS,
    seed: int = 0,
) -> QuickFeatures:
    """Token vectors from the texts, known data sets and metadata values."""
    plain = [text if isinstance(text, str) else "" for text in texts]
    tokens = TokenTable.fit(plain)
    codes, lengths = tokens.encode(plain)
    bare = QuickFeatures(
        tokens=tokens,
        vectors=np.zeros((0, 0), np.float32),
        idf=np.zeros(0, np.float32),
        pairs=_frequent_pairs(codes, lengths, len(tokens)),
        named=NamedColumns.fit(datasets, metadata, metadata_features),
        digits=tokens.digits(),
        is_word=tokens.is_word(),
    )
    vectors, idf = _vectors(bare, codes, lengths, n_components, seed)
    return replace(bare, vectors=vectors, idf=idf)


def _frequent_pairs(codes: NDArray[np.int64], lengths: NDArray[np.int64], n_codes: int) -> NDArray[np.int64]:
    """Bigrams of known tokens that stand in at least two prompts."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    inside = (row[:-1] == row[1:]) & (codes[:-1] > 0) & (codes[1:] > 0)
    pair = (codes[:-1] * n_codes + codes[1:])[inside]
    names, number = np.unique(pair, return_inverse=True)
    once = np.unique(number * len(lengths) + row[:-1][inside])
    prompts = np.bincount(once // max(len(lengths), 1), minlength=len(names))
    often = np.flatnonzero(prompts >= 2)
    best = often[np.argsort(-prompts[often], kind="stable")[:MOST_PAIRS]]
    return np.sort(names[best])


def _vectors(
    bare: QuickFeatures, codes: NDArray[np.int64], lengths: NDArray[np.int64], n_components: int, seed: int
) -> tuple[Floats, Floats]:
    n_terms = len(bare.tokens) + len(bare.pairs)
    row, term = bare.terms(codes, lengths)
    key, count = np.unique(row * n_terms + term, return_counts=True)
    row, term = np.divmod(key, n_terms)
    return term_vectors(row, term, count, (len(lengths), n_terms), n_components=n_components, seed=seed)


def term_vectors(
    row: NDArray[np.int64],
    term: NDArray[np.int64],
    count: NDArray[np.int64],
    shape: tuple[int, int],
    *,
    n_components: int = N_COMPONENTS,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Vectors (terms, d) and rarity (terms,) from how often a term occurs in which prompt; shape: prompts, terms."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - fit only
    from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415 - fit only

    n, n_terms = shape
    prompts = np.bincount(term, minlength=n_terms)
    idf = (np.log((1.0 + n) / (1.0 + prompts)) + 1.0).astype(np.float32)
    matrix = csr_matrix(((1.0 + np.log(count)) * idf[term], (row, term)), shape=shape)
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1)).A1
    matrix = csr_matrix(matrix.multiply(1.0 / np.maximum(norms, 1e-9)[:, None]))
    width = min(n_components, n - 1, n_terms - 1)
    if width < 1 or not matrix.nnz:
        return np.zeros((n_terms, 0), np.float32), idf
    _, _, right = randomized_svd(matrix, width, n_iter=4, random_state=seed)
    # Half precision is what an artifact keeps: the fit must see the very numbers that serving will.
    # What is next to nothing has the sign of a rounding error: adding zero makes every zero the same bytes.
    vectors = (right.T * idf[:, None]).astype(np.float16).astype(np.float32) + np.float32(0)
    return vectors, idf
