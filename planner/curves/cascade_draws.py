"""Random orders of drawing from logged pools: which sample comes first, second, ... in each replay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.curves.grades import known_grades
from planner.curves.logs import Floats, Ints, Logs, Pool, SampleTable
from planner.curves.usage import pace

Rows = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """What a replay reads of each sample, shape (samples,). An unknown score is 0: it stops nothing.

    `correct` is the sample's own, `vote_correct` that of its answer: the mean over samples that gave it.
    `scored_seconds` are `latency_seconds` with the verifier's, spent where a stage has the sample scored.
    """

    answer: Ints
    correct: Floats
    vote_correct: Floats
    score: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats
    latency_seconds: Floats
    scored_seconds: Floats


@dataclass(frozen=True)
class Chains:
    """Chains of one pool by prompt: rows of their first attempts, (prompts, most chains), -1 past the last.

    `n` chains a prompt, `depth` attempts that every chain of the prompt has; both of shape (prompts,).
    `scored`: its scores are logged. `answered`: its answers are (where all samples failed, their having none says as
    much).
    """

    start: Ints
    n: Ints
    depth: Ints
    scored: Bools
    answered: Bools


@dataclass(frozen=True)
class Source:
    """Samples of logs laid out for drawing: over shared columns one `Chains` a pool, then one for each of `alike`.

    Of a pool that has scores its scored chains alone: another that was drawn would stop nothing, and never be chosen.
    `alike`: places of `pools` that differ in their verifier alone (one place: where some of its chains are not scored).
    A stage that reads no score may draw from any of them; there each prompt has the chains, scored or not, of the pool
    that holds most of it.
    """

    columns: Columns
    chains: tuple[Chains, ...]
    pools: tuple[Pool, ...]
    alike: tuple[tuple[int, ...], ...]

    def pool_of(self, place: int) -> int:
        """A pool whose samples the chains at `place` are."""
        return place if place < len(self.pools) else self.alike[place - len(self.pools)][-1]

    def unread(self, pool: int) -> int:
        """Place of the chains that stages draw from which read no score of a pool's."""
        return next((len(self.pools) + i for i, places in enumerate(self.alike) if pool in places), pool)


def source(logs: Logs) -> Source:
    """Lay out the graded samples of `logs` for drawing.

    A chain with an attempt that is not graded is left out whole: its other attempts would not be a fair draw.
    """
    samples = replace(logs.samples, correct=known_grades(logs.samples))
    logs = replace(logs, samples=samples)
    first = _chain_starts(samples)
    length = np.diff(np.append(first, len(samples)))
    graded = np.logical_and.reduceat(~np.isnan(samples.correct), first) if len(first) else np.zeros(0, np.bool_)
    first, length = first[graded], length[graded]
    scored = _scored(samples, first, length)
    whole = [_chains(logs, pool, first, length) for pool in range(len(logs.pools))]
    chains = [
        _chains(logs, pool, first[scored], length[scored]) if one.scored.any() else one
        for pool, one in enumerate(whole)
    ]
    partly = {pool for pool, one in enumerate(chains) if (one.n < whole[pool].n).any()}
    alike = _alike(logs.pools, partly)
    largest = [_largest([whole[place] for place in places]) for places in alike]
    return Source(_columns(logs), (*chains, *largest), logs.pools, alike)


def _scored(samples: SampleTable, first: Rows, length: Rows) -> Bools:
    """Which chains have a score for every attempt with an answer: one without an answer needs none, it counts as 0."""
    lacking = np.append(0, np.cumsum(np.isnan(samples.score) & (samples.answer >= 0)))
    return np.asarray(lacking[first + length] == lacking[first])


def _alike(pools: Sequence[Pool], partly: Collection[int]) -> tuple[tuple[int, ...], ...]:
    groups: list[list[int]] = []
    for place, pool in enumerate(pools):
        for group in groups:
            other = pools[group[0]]
            if other.generator == pool.generator and dict(other.params) == dict(pool.params):
                group.append(place)
                break
        else:
            groups.append([place])
    return tuple(tuple(group) for group in groups if len(group) > 1 or group[0] in partly)


def _largest(pools: Sequence[Chains]) -> Chains:
    """The chains, prompt by prompt, of the pool with most of them and answers.

    Pools are not poured together: two verifiers may have scored the same samples.
    """
    most = np.argmax([pool.n * pool.answered for pool in pools], axis=0)
    width = max(pool.start.shape[1] for pool in pools)
    start = np.full((len(most), width), -1, dtype=np.int32)
    for place, pool in enumerate(pools):
        start[most == place, : pool.start.shape[1]] = pool.start[most == place]
    each = ("n", "depth", "scored", "answered")
    return Chains(start, *(np.choose(most, [getattr(pool, name) for pool in pools]) for name in each))


def _chain_starts(samples: SampleTable) -> NDArray[np.intp]:
    if not len(samples):
        return np.zeros(0, dtype=np.intp)
    changed = np.ones(len(samples), dtype=np.bool_)
    changed[1:] = False
    for column in (samples.pool, samples.prompt, samples.run, samples.chain):
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _chains(logs: Logs, pool: int, first: Rows, length: Rows) -> Chains:
    samples, n_prompts = logs.samples, len(logs.prompts)
    mine = samples.pool[first] == pool
    first, length = first[mine], length[mine]
    prompt = samples.prompt[first]
    n = np.bincount(prompt, minlength=n_prompts)
    place = np.arange(len(first)) - np.repeat(np.cumsum(n) - n, n)
    start = np.full((n_prompts, max(int(n.max(initial=0)), 1)), -1, dtype=np.int32)
    start[prompt, place] = first
    depth = np.full(n_prompts, np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(depth, prompt, length.astype(np.int32))

    def some(holds: Bools) -> Bools:
        return np.bincount(prompt[holds], minlength=n_prompts) > 0

    with_scores = logs.pools[pool].verifier is not None and not np.isnan(samples.score[first]).all()
    scored = (n > 0) & with_scores
    answered = some(samples.answer[first] >= 0) | ~some(samples.correct[first] > 0)
    return Chains(start, n.astype(np.int32), np.where(n > 0, depth, 0).astype(np.int32), scored, answered)


def _columns(logs: Logs) -> Columns:
    samples = logs.samples
    prompt_tokens = _filled(samples, samples.prompt_tokens)
    completion_tokens = _filled(samples, samples.completion_tokens)
    verifier_tokens = _verifier_tokens(samples, prompt_tokens, completion_tokens)
    read = _verifier_tokens(samples, samples.prompt_tokens, samples.completion_tokens)
    rate = pace(logs, samples.completion_tokens, read)
    return Columns(
        answer=samples.answer,
        correct=samples.correct,
        vote_correct=_vote_correct(samples),
        score=np.where(np.isnan(samples.score), np.float32(0), samples.score),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        verifier_tokens=verifier_tokens,
        latency_seconds=_filled(samples, rate.seconds),
        scored_seconds=_filled(samples, rate.seconds + rate.reading),
    )


def _filled(samples: SampleTable, values: Floats) -> Floats:
    """Unknown values replaced by the mean of the known ones of the same attempt, pool and prompt."""
    unknown = np.isnan(values)
    if not unknown.any() or unknown.all():
        return values
    n_prompts, n_attempts = int(samples.prompt.max()) + 1, int(samples.attempt.max()) + 1
    cell = (samples.pool.astype(np.int64) * n_prompts + samples.prompt) * n_attempts + samples.attempt
    size = int(cell.max()) + 1
    count = np.bincount(cell[~unknown], minlength=size)
    total = np.bincount(cell[~unknown], weights=values[~unknown], minlength=size)
    with np.errstate(invalid="ignore"):
        return np.where(unknown, (total / count)[cell], values).astype(np.float32)


def _vote_correct(samples: SampleTable) -> Floats:
    order = np.lexsort((samples.answer, samples.prompt))
    prompt, answer = samples.prompt[order], samples.answer[order]
    changed = np.ones(len(order), dtype=np.bool_)
    changed[1:] = (prompt[1:] != prompt[:-1]) | (answer[1:] != answer[:-1])
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(changed) - 1
    known = ~np.isnan(samples.correct)
    size = int(changed.sum())
    total = np.bincount(group[known], weights=samples.correct[known], minlength=size)
    count = np.bincount(group[known], minlength=size)
    mean = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)[group]
    return np.where(samples.answer >= 0, mean, samples.correct).astype(np.float32)


def _verifier_tokens(samples: SampleTable, prompt_tokens: Floats, completion_tokens: Floats) -> Floats:
    """Take what is logged, else prompt and candidate once each: the verifier reads no revision's context."""
    starts = _chain_starts(samples)
    first = np.repeat(starts, np.diff(np.append(starts, len(samples))))
    return np.where(
        np.isnan(samples.verifier_tokens), prompt_tokens[first] + completion_tokens, samples.verifier_tokens
    )


@dataclass(frozen=True)
class Orders:
    """Random orders of each pool's chains on some prompts: their places, (prompts, orders, draws) a pool."""

    prompts: NDArray[np.intp]
    n_orders: int
    by_pool: tuple[NDArray[np.integer[Any]], ...]


def draw_orders(
    chains: Sequence[Chains], prompts: Rows, *, n_orders: int, n_draws: int, rng: np.random.Generator
) -> Orders:
    """Balanced random orders: rotations of random permutations, so that samples come first equally often.

    Each order alone is uniform over all orders, hence means over them are unbiased; together they spread the
    samples evenly, which takes away most of the Monte Carlo error of short draws.
    """
    index = np.asarray(prompts, dtype=np.intp)
    return Orders(index, n_orders, tuple(_rotations(pool, index, n_orders, n_draws, rng) for pool in chains))


def _rotations(
    chains: Chains, prompts: NDArray[np.intp], n_orders: int, n_draws: int, rng: np.random.Generator
) -> Rows:
    n, width = chains.n[prompts], chains.start.shape[1]
    n_turns = min(width, n_orders)
    n_permutations = -(-n_orders // n_turns)
    keys = rng.random((len(prompts), n_permutations, width), dtype=np.float32)
    keys[np.broadcast_to(np.arange(width) >= n[:, None, None], keys.shape)] = np.inf
    permutation = np.argsort(keys, axis=-1).astype(np.int32)
    safe = np.maximum(n, 1)[:, None, None]
    which = np.arange(n_orders) // n_turns
    turn = (np.arange(n_orders) % n_turns)[None, :, None]
    place = (turn * safe // n_turns + np.arange(n_draws)) % safe
    return np.take_along_axis(permutation[:, which, :], place, axis=2)


def stage_rows(
    chains: Chains,
    orders: Orders,
    pool: int,
    *,
    draw: Literal["samples", "attempts"],
    skip: int,
    n_draws: int,
    n_rows: int,
) -> Rows:
    """Rows of the samples that a stage draws after `skip` chains of its pool, (prompts, orders, n_draws)."""
    # Prompts with too few chains or attempts get rows all the same; `drawable` tells them.
    start = np.maximum(chains.start[orders.prompts], 0)
    order = orders.by_pool[pool]
    if draw == "attempts":
        first = np.take_along_axis(start, order[:, :, skip], axis=1)
        return np.minimum(first[:, :, None] + np.arange(n_draws, dtype=np.int32), n_rows - 1)
    flat = order[:, :, skip : skip + n_draws].reshape(len(start), -1)
    return np.take_along_axis(start, flat, axis=1).reshape(len(start), orders.n_orders, n_draws)
