"""A pool's samples as chains of attempts, stacked into arrays of prompts that hold equally many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats, SampleTable

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Chains:
    """Chains of one pool by prompt: first row in the sample table, length in attempts, and prompt."""

    start: Longs
    length: Longs
    prompt: Longs

    @property
    def depth(self) -> int:
        """Attempts of the longest chain."""
        return int(self.length.max(initial=0))


@dataclass(frozen=True)
class Stack:
    """Chains cut after `depth` attempts: `rows` (prompts, chains, depth) index the sample table."""

    prompts: Longs
    rows: Longs


def chains_of(samples: SampleTable, pool: int) -> Chains:
    """The chains of one pool; one without revisions is a chain of length 1."""
    low, high = np.searchsorted(samples.pool, [pool, pool + 1])
    here = slice(int(low), int(high))
    keys = (samples.prompt[here], samples.run[here], samples.chain[here])
    new = np.ones(high - low, dtype=bool)
    if high > low:
        new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    start = np.flatnonzero(new)
    length = np.diff(np.append(start, high - low))
    return Chains(start=start + low, length=length, prompt=samples.prompt[here][start].astype(np.int64))


def stacks(chains: Chains, correct: Floats, depth: int, *, max_cells: int) -> Iterator[Stack]:
    """Prompts with equally many chains whose first `depth` attempts are all there and graded.

    A stack holds about `max_cells` samples at most.
    """
    keep = chains.length >= depth
    start, prompt = chains.start[keep], chains.prompt[keep]
    for attempt in range(depth):
        graded = np.isfinite(correct[start + attempt])
        start, prompt = start[graded], prompt[graded]
    ids, first, count = np.unique(prompt, return_index=True, return_counts=True)
    for n in np.unique(count):
        members = np.flatnonzero(count == n)
        step = max(1, max_cells // int(n * depth))
        for begin in range(0, len(members), step):
            chosen = members[begin : begin + step]
            rows = start[first[chosen][:, None] + np.arange(n)]
            yield Stack(prompts=ids[chosen], rows=rows[:, :, None] + np.arange(depth))


def chain_counts(chains: Chains, n_prompts: int, depth: int) -> Longs:
    """Chains of at least `depth` attempts by prompt, graded or not."""
    return np.bincount(chains.prompt[chains.length >= depth], minlength=n_prompts)


def powers_of_two(limit: int) -> list[int]:
    """1, 2, 4, ... up to `limit`."""
    return [1 << i for i in range(limit.bit_length()) if 1 << i <= limit]


def budgets_of(counts: Longs) -> Longs:
    """Budgets worth a curve, from the samples that each prompt has.

    Powers of two that a tenth of the pool's prompts reach, and the size that half of them reach.
    """
    held = np.sort(counts[counts > 0])
    if held.size == 0:
        return np.zeros(0, dtype=np.int64)
    reach = int(held[-max(1, -(-len(held) // 10))])
    middle = int(held[len(held) // 2])
    return np.unique([*powers_of_two(reach), middle])


def dense_codes(codes: NDArray[np.integer]) -> Longs:
    """Codes 0, 1, ... within each row of (rows, n); a negative code stays -1."""
    order = np.argsort(codes, axis=1, kind="stable")
    ranked = np.take_along_axis(codes, order, 1)
    new = ranked >= 0
    new[:, 1:] &= ranked[:, 1:] != ranked[:, :-1]
    dense = np.empty(codes.shape, dtype=np.int64)
    np.put_along_axis(dense, order, np.where(ranked >= 0, np.cumsum(new, axis=1) - 1, -1), 1)
    return dense
