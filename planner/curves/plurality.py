"""Who wins a vote of k of n samples, exactly, for many prompts at once.

Group counts in a random subset follow the multivariate hypergeometric law, which is that of independent
binomials given their sum k. So the chance that a group wins with m votes is one coefficient of a product of
polynomials in x, one for each other group, cut at x^m; it is read off by a discrete Fourier transform. A tie
with t others counts 1 / (1 + t) = integral of u^t over u in 0..1, which Gauss-Legendre nodes give exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]
Complexes = NDArray[np.complex128]

_CELLS = 1 << 19  # complex numbers a working array may hold: 8 MB, near the cache


def plurality(counts: Longs, values: Doubles, silent: Longs, unanswered: Doubles, k: int) -> Doubles:
    """Expected value of the answer that wins a vote of `k` samples.

    counts, values: (rows, groups), samples of each answer and the worth of that answer. silent: (rows,)
    samples without an answer, which may be drawn but do not vote; where nobody votes the outcome is one of
    theirs, whose mean worth is `unanswered`, (rows,). All rows hold at least k.
    """
    order = np.argsort(-np.where(counts > 0, values, -1), axis=1, kind="stable")
    counts, values = (
        np.take_along_axis(counts, order, 1),
        np.take_along_axis(np.where(counts > 0, values, 0), order, 1),
    )
    result = np.empty(len(counts))
    total = counts.sum(1) + silent
    whole = total == k
    result[whole] = np.where(counts[whole].any(1), _winner(counts[whole], values[whole]), unanswered[whole])
    rest = np.flatnonzero(~whole)
    if rest.size:
        groups = (counts[rest] > 0).sum(1)
        rest = rest[np.argsort(groups, kind="stable")]
        half = int(total[rest].max()) // 2 + 2
        step = max(1, _CELLS // (half * counts.shape[1]))
        for start in range(0, rest.size, step):
            rows = rest[start : start + step]
            width = max(1, int(np.flatnonzero((counts[rows] > 0).any(axis=0)).max(initial=0)) + 1)
            result[rows] = _chunk(counts[rows, :width], values[rows, :width], silent[rows], unanswered[rows], k)
    return result


def plurality_work(counts: Longs, values: Doubles, total: int, k: int) -> float:
    """Roughly how many complex products `plurality` needs for these rows."""
    greatest = np.minimum(counts.max(1, initial=0), k)
    valued = ((values > 0) & (counts > 0)).sum(1)
    return float((greatest * (counts > 0).sum(1) * np.maximum(valued, 1)).sum()) * (total // 2 + 1) * 1.5


def _winner(counts: Longs, values: Doubles) -> Doubles:
    top = (counts == counts.max(1, keepdims=True)) & (counts > 0)
    return np.asarray((top * values).sum(1) / np.maximum(top.sum(1), 1))


def _chunk(counts: Longs, values: Doubles, silent: Longs, unanswered: Doubles, k: int) -> Doubles:
    total = counts.sum(1) + silent
    share = k / total
    n_targets = int((values > 0).sum(1).max(initial=0))
    size = int(total.max()) + 1 + int(total.max()) % 2  # odd: every point but the first has its conjugate
    turn = np.exp(2j * np.pi * np.arange(size // 2 + 1) / size)
    silence = (1 - share[:, None] + share[:, None] * turn) ** silent[:, None]
    below = np.zeros((*counts.shape, len(turn)), dtype=np.complex128)  # sum over i < m of b_i x^i, by group
    at = _binomial(counts, share[:, None], 0)
    result: Doubles = unanswered * _binomial(silent, share, k) * at.prod(1)
    for m in range(1, min(k, int(counts.max(initial=0))) + 1):
        below += at[:, :, None] * turn ** (m - 1)
        at = _binomial(counts, share[:, None], m)
        here = at[:, :, None] * turn**m
        back = turn ** -(k - m)
        back[1:] *= 2
        for node, weight in _nodes(min(k // m, counts.shape[1]) - 1):
            factors = below + node * here
            for target in range(n_targets):
                others = silence * factors[:, :target].prod(1) * factors[:, target + 1 :].prod(1)
                ways = (others @ back).real / size
                result += weight * values[:, target] * at[:, target] * ways
    return result / _binomial(total, share, k)


def _nodes(n_tied: int) -> list[tuple[float, float]]:
    """Nodes and weights on 0..1 that integrate u^t exactly for every t up to `n_tied`."""
    nodes, weights = np.polynomial.legendre.leggauss(max(1, n_tied // 2 + 1))
    return list(zip((nodes + 1) / 2, weights / 2, strict=True))


def _binomial(n: Longs, share: Doubles, m: int) -> Doubles:
    """Chance of m successes in n draws, 0 where m > n."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, max(int(n.max(initial=0)), m) + 1)))])
    rest = np.maximum(n - m, 0)
    log = log_factorial[n] - log_factorial[m] - log_factorial[rest] + m * np.log(share) + rest * np.log1p(-share)
    return np.where(n >= m, np.exp(log), 0.0)
