"""Fits the token vectors: tf-idf of words and bigrams, then truncated SVD (Deerwester et al. 1990)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.difficulty.features import N_COMPONENTS, QuickFeatures, as_number
from planner.difficulty.tokens import TokenTable

MOST_PAIRS = 20_000
MOST_CATEGORIES = 200


def fit_features(
    texts: Sequence[str | None],
    datasets: Sequence[str | None],
    metadata: Sequence[Mapping[str, Any]],
    *,
    metadata_features: Sequence[str] = (),
    n_components: int = N_COMPONENTS,
    seed: int = 0,
) -> QuickFeatures:
    """Token vectors from the texts, known data sets and metadata values."""
    plain = [text or "" for text in texts]
    tokens = TokenTable.fit(plain)
    codes, lengths = tokens.encode(plain)
    categories, numeric = _kinds(datasets, metadata, metadata_features)
    bare = QuickFeatures(
        tokens=tokens,
        vectors=np.zeros((0, 0), np.float32),
        idf=np.zeros(0, np.float32),
        pairs=_frequent_pairs(codes, lengths, len(tokens)),
        categories=categories,
        numeric=numeric,
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
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - fit only
    from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415 - fit only

    n, n_terms = len(lengths), len(bare.tokens) + len(bare.pairs)
    row, term = bare.terms(codes, lengths)
    key, count = np.unique(row * n_terms + term, return_counts=True)
    row, term = np.divmod(key, n_terms)
    prompts = np.bincount(term, minlength=n_terms)
    idf = (np.log((1.0 + n) / (1.0 + prompts)) + 1.0).astype(np.float32)
    matrix = csr_matrix(((1.0 + np.log(count)) * idf[term], (row, term)), shape=(n, n_terms))
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


def _kinds(
    datasets: Sequence[str | None], metadata: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    categories = []
    known = _frequent(datasets)
    if len(known) > 1:
        categories.append(("", known))
    numeric = []
    for name in names:
        values = [row.get(name) for row in metadata]
        present = [value for value in values if value is not None]
        if present and all(not isinstance(v, bool) and not np.isnan(as_number(v)) for v in present):
            numeric.append(name)
        else:
            categories.append((name, _frequent(present)))
    return tuple(categories), tuple(numeric)


def _frequent(values: Sequence[Any]) -> tuple[str, ...]:
    counts = Counter(str(value) for value in values if value is not None)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return tuple(sorted(ranked[:MOST_CATEGORIES]))
