"""Mean use of a pool's chains by depth, and the latency of drawing them side by side (METHODS.md 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import ModelCard
from planner.curves.exact import expected_greatest
from planner.curves.logs import Floats, Logs, SampleTable
from planner.curves.table import Slots
from planner.curves.units import Chains, Longs, chains_of, stacks

_CELLS = 1 << 20


def generations_a_sample(generator: str, verifier: str | None, models: Mapping[str, ModelCard]) -> int:
    """1, and 2 with a language model for a verifier: it is asked for a verdict, which counts as a generation."""
    if verifier is None:
        return 1
    card = models.get(verifier)
    return 2 if verifier == generator or (card is not None and card.kind == "generator") else 1


def written_shares(logs: Logs) -> Floats:
    """Share of each pool's verifier tokens that a language model wrote, (pools,): they have a price of their own.

    Logs hold what it read and wrote in one sum. What goes beyond prompt and candidate, each read once, it wrote.
    """
    shares = np.zeros(len(logs.pools), dtype=np.float32)
    for pool, kind in enumerate(logs.pools):
        if generations_a_sample(kind.generator, kind.verifier, logs.models) == 1:
            continue
        chains = chains_of(logs.samples, pool)
        rows = slice(*np.searchsorted(logs.samples.pool, [pool, pool + 1]))
        read = np.repeat(logs.samples.prompt_tokens[chains.start], chains.length) + logs.samples.completion_tokens[rows]
        logged = logs.samples.verifier_tokens[rows]
        known = np.isfinite(read) & np.isfinite(logged)
        if total := float(logged[known].sum(dtype=np.float64)):
            shares[pool] = max(1 - float(read[known].sum(dtype=np.float64)) / total, 0)
    return shares


def pool_slots(logs: Logs, places: Sequence[int], verifiers: Sequence[str | None] | None = None) -> Slots:
    """One slot for each of the pools at `places`; `verifiers` that score their samples, where not the pools' own."""
    pools, of = [logs.pools[place] for place in places], np.array(places, dtype=np.int32)
    scoring = tuple(pool.verifier for pool in pools) if verifiers is None else tuple(verifiers)
    return Slots(
        np.arange(len(of), dtype=np.int32), tuple(pool.generator for pool in pools), scoring, of,
        written_by(scoring, of, logs),
    )  # fmt: skip


def written_by(verifiers: Sequence[str | None], pools: NDArray[np.integer], logs: Logs) -> Floats:
    """The same of each of `verifiers`, from the pool (place, -1 for none) beside it where it is that pool's own."""
    shares, names = np.append(written_shares(logs), np.float32(0)), [*(pool.verifier for pool in logs.pools), None]
    own = [names[pool] == verifier for verifier, pool in zip(verifiers, pools.tolist(), strict=True)]
    return np.where(own, shares[pools], np.float32(0)).astype(np.float32)


@dataclass(frozen=True)
class ChainUse:
    """Mean use of one chain cut after d attempts: each (prompts, depth), column d-1; NaN where not logged."""

    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats


def verifier_tokens(samples: SampleTable, chains: Chains) -> Floats:
    """Verifier tokens of every sample of the table, NaN outside these chains and for samples without a score.

    Where not logged: the prompt and the candidate, each read once, so the prompt tokens of the chain's first
    attempt (without the revision context) and the candidate's completion tokens.
    """
    result = np.full(len(samples), np.nan, dtype=np.float32)
    if not len(chains.start):
        return result
    low, high = chains.start[0], chains.start[-1] + chains.length[-1]
    first = np.repeat(samples.prompt_tokens[chains.start], chains.length)
    here = slice(int(low), int(high))
    scored = np.isfinite(samples.score[here]) | np.isfinite(samples.score_min[here])
    derived = np.where(scored, first + samples.completion_tokens[here], np.float32(np.nan))
    logged = samples.verifier_tokens[here]
    result[here] = np.where(np.isfinite(logged), logged, derived)
    return result


def chain_use(samples: SampleTable, chains: Chains, n_prompts: int, verified: NDArray[np.floating]) -> ChainUse:
    """Mean use by prompt and depth; `verified` are the verifier tokens of every sample of the table."""
    depth = chains.depth
    row = np.repeat(chains.start, chains.length) + _within(chains.length)
    cell = np.repeat(chains.prompt, chains.length) * depth + _within(chains.length)

    def mean(column: NDArray[np.floating]) -> Floats:
        values = column[row]
        known = np.isfinite(values)
        size = n_prompts * depth
        sums = np.bincount(cell[known], values[known], minlength=size)
        counts = np.bincount(cell[known], minlength=size)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).reshape(n_prompts, depth)
        return np.cumsum(means, axis=1).astype(np.float32)

    return ChainUse(mean(samples.prompt_tokens), mean(samples.completion_tokens), mean(verified))


def _within(length: Longs) -> Longs:
    """0, 1, ... within each chain, for all chains one after the other."""
    return np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)


@dataclass(frozen=True)
class Pace:
    """Seconds of generating each sample of the table, and of its verifier's reading; NaN where unknown."""

    seconds: Floats
    reading: Floats


def pace(logs: Logs, completion: Floats, verified: Floats) -> Pace:
    """Seconds as measured, else tokens by the speeds of the models of a sample's pool.

    `completion` and `verified` are the completion and the verifier tokens of every sample of the table.
    """
    measured = np.isfinite(logs.samples.latency_seconds)
    writing = completion / _speeds(logs, [pool.generator for pool in logs.pools])
    reading = verified / _speeds(logs, [pool.verifier for pool in logs.pools])
    # A measured sample has waited for its score already.
    return Pace(np.where(measured, logs.samples.latency_seconds, writing), np.where(measured, np.float32(0), reading))


def _speeds(logs: Logs, names: Sequence[str | None]) -> Floats:
    """Tokens a second of the model that each sample's pool names."""
    cards = [logs.models.get(name or "") for name in names]
    speeds = [np.nan if card is None else card.tokens_per_second or np.nan for card in cards]
    return np.array(speeds, dtype=np.float32)[logs.samples.pool]


def chain_latency(
    chains: Chains,
    rate: Pace,
    n_prompts: int,
    depth: int,
    breadths: Longs,
    *,
    read: bool,
    max_concurrency: int | None,
) -> Floats:
    """Expected seconds of b chains of d attempts, (prompts, depth, breadths), NaN where unknown.

    Attempts follow one another and each waits for the slowest of its chains; chains beyond the endpoint's
    concurrency wait for the wave before. An unknown concurrency is no bound.
    """
    total = np.full((n_prompts, depth, len(breadths)), np.nan, dtype=np.float32)
    for attempt in range(depth):
        seconds = rate.seconds + rate.reading if read else rate.seconds
        stage = np.full((n_prompts, len(breadths)), np.nan, dtype=np.float32)
        shifted = Chains(chains.start + attempt, chains.length - attempt, chains.prompt)
        for stack in stacks(shifted, seconds, 1, max_cells=_CELLS):
            stage[stack.prompts] = _waves(seconds[stack.rows[:, :, 0]], breadths, max_concurrency)
        total[:, attempt] = stage if attempt == 0 else total[:, attempt - 1] + stage
    return total


def _waves(seconds: Floats, breadths: Longs, max_concurrency: int | None) -> Floats:
    """Expected seconds of b chains in waves of `max_concurrency`, a rest last: (prompts, breadths)."""
    n = seconds.shape[1]
    width = np.minimum(breadths, max_concurrency or breadths.max(initial=1))
    full, rest = breadths // width, breadths % width
    sizes = np.unique(np.minimum([*width, *rest[rest > 0]], n))
    greatest = expected_greatest(seconds.astype(np.float64), sizes)
    last = np.where(rest > 0, greatest[:, np.searchsorted(sizes, np.minimum(rest, n)) % len(sizes)], 0)
    return np.asarray(full * greatest[:, np.searchsorted(sizes, np.minimum(width, n))] + last, dtype=np.float32)
