"""Checks of what was imported: samples whose order tells something, and verifiers whose scores do not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planner.core.batch import Batch

Numbers = NDArray[np.float64]

# An import has tens of pools and two tests each: four standard errors keep false alarms below one in a thousand.
_SIGMAS = 4.0
_MIN_PROMPTS = 20
_LEAST_GAIN = 0.02
_LEAST_SHORTENING = 0.03
_NO_SIGNAL_SIGMAS = 2.5
_USEFUL_AUC = 0.65


@dataclass(frozen=True)
class PooledSamples:
    """Samples of one generator, verifier and setting; one row a sample, in the order in which they were logged.

    `draw` is chain and attempt as one rising number; `first` marks first attempts.
    """

    prompt: NDArray[np.int64]
    draw: NDArray[np.int64]
    first: NDArray[np.bool_]
    correct: Numbers
    score: Numbers
    tokens: Numbers


@dataclass
class PoolWatch:
    """Gathers samples while they are imported, a few narrow columns each, and checks them at the end."""

    _pools: dict[tuple[str, str | None, str], list[PooledSamples]] = field(default_factory=dict)
    _prompts: dict[str, int] = field(default_factory=dict)
    _met: int = 0

    def observe(self, batch: Batch) -> None:
        """Take note of the samples of the batch that are draws of a pool."""
        runs, samples = batch.runs, batch.samples
        if not len(samples):
            return
        keys = list(zip(runs.generator, runs.verifier, runs.params, strict=True))
        codes = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        of_run = np.array([codes[key] for key in keys])
        drawn = np.array([search == "sampling" for search in runs.search])
        prompts = np.array([self._prompts.setdefault(one, len(self._prompts)) for one in runs.prompt_id])
        run, attempt = np.array(samples.run), np.array(samples.attempt)
        table = PooledSamples(
            prompts[run],
            self._met + np.lexsort((attempt, np.array(samples.chain), run)).argsort(),
            attempt == 0,
            np.array(samples.correct, dtype=np.float64),
            np.array(samples.score, dtype=np.float64),
            np.array(samples.completion_tokens, dtype=np.float64),
        )
        self._met += len(run)
        for key, code in codes.items():
            mine = (of_run == code)[run] & drawn[run]
            if mine.any():
                self._pools.setdefault(key, []).append(_rows(table, mine))

    def warnings(self) -> Iterator[str]:
        """What somebody who fits on these logs should know first."""
        for (generator, verifier, params), parts in sorted(self._pools.items(), key=lambda pool: str(pool[0])):
            pool = _joined(parts)
            name = generator + (f" {params}" if params != "{}" else "")
            yield from order_warnings(name, pool)
            if verifier is not None:
                yield from signal_warnings(verifier, name, pool)


def order_warnings(name: str, pool: PooledSamples) -> Iterator[str]:
    """Warn where the first half of a prompt's samples is better, or shorter, than the second, over all prompts.

    Curves average over all subsets of the samples, which is right only if their order says nothing.
    """
    correct = _halves(pool, pool.correct)
    if _beyond_chance(correct, _LEAST_GAIN):
        yield (
            f"{name}: the first half of the samples is more often correct than the second, by "
            f"{100 * float(correct.mean()):.1f} points over {len(correct)} prompts: their order is not exchangeable "
            "(sorted, or drawn until a success?); curves from them will mislead"
        )
    with np.errstate(divide="ignore"):
        shorter = -_halves(pool, np.where(pool.tokens > 0, np.log(pool.tokens), np.nan))
    if _beyond_chance(shorter, _LEAST_SHORTENING):
        yield (
            f"{name}: the first half of the samples is shorter than the second, by "
            f"{100 * (1 - math.exp(-float(shorter.mean()))):.0f}% over {len(shorter)} prompts: their order is not "
            "exchangeable (logged as they were finished?); curves from them will mislead"
        )


def signal_warnings(verifier: str, name: str, pool: PooledSamples) -> Iterator[str]:
    """Warn where scores do not tell a prompt's correct samples from its wrong ones, or tell them upside down."""
    areas = within_prompt_auc(pool)
    if len(areas) < _MIN_PROMPTS:
        return
    mean, error = float(areas.mean()), float(areas.std(ddof=1) / math.sqrt(len(areas)))
    found = f"of {name} within a prompt (AUC {mean:.2f} ± {error:.2f} over {len(areas)} prompts, .5 is chance)"
    if 0.5 - mean > _SIGMAS * error:
        yield (
            f"{verifier}: its scores are upside down: wrong samples score higher than correct ones {found}; undo this "
            "import, turn the scores round (1 - score, or -score where they are on another scale) and import again"
        )
    elif mean - 0.5 <= _NO_SIGNAL_SIGMAS * error and mean + 2 * error < _USEFUL_AUC:
        yield (
            f"{verifier}: its scores do not tell correct from wrong samples {found}: selections by score will not beat "
            "a vote"
        )


def within_prompt_auc(pool: PooledSamples) -> Numbers:
    """For each prompt with correct and wrong samples: the chance that a correct one scores higher; ties count half."""
    known = ~np.isnan(pool.correct) & ~np.isnan(pool.score)
    prompt, score, right = pool.prompt[known], pool.score[known], pool.correct[known] > 0.5
    order = np.lexsort((score, prompt))
    prompt, score, right = prompt[order], score[order], right[order]
    if not len(prompt):
        return np.empty(0)
    ranks = _tied_ranks(prompt, score)
    starts = np.flatnonzero(np.r_[True, np.diff(prompt) != 0])
    n = np.diff(np.r_[starts, len(prompt)])
    n_right = np.add.reduceat(right.astype(np.float64), starts)
    rank_sum = np.add.reduceat(ranks * right, starts) - n_right * starts
    both = (n_right > 0) & (n_right < n)
    wins = rank_sum[both] - n_right[both] * (n_right[both] + 1) / 2
    areas: Numbers = wins / (n_right[both] * (n - n_right)[both])
    return areas


def _tied_ranks(prompt: NDArray[np.int64], score: Numbers) -> Numbers:
    """Ranks from 1 over the whole table, equal scores of one prompt sharing their mean rank."""
    new = np.r_[True, (np.diff(prompt) != 0) | (np.diff(score) != 0)]
    starts = np.flatnonzero(new)
    sizes = np.diff(np.r_[starts, len(score)])
    return np.repeat(starts + (sizes + 1) / 2, sizes)


def _halves(pool: PooledSamples, value: Numbers) -> Numbers:
    """Mean of the first half less mean of the second, for each prompt with two first attempts or more."""
    known = ~np.isnan(value) & pool.first
    order = np.lexsort((pool.draw[known], pool.prompt[known]))
    prompt, value = pool.prompt[known][order], value[known][order]
    if not len(prompt):
        return np.empty(0)
    starts = np.flatnonzero(np.r_[True, np.diff(prompt) != 0])
    n = np.diff(np.r_[starts, len(prompt)])
    place = np.arange(len(prompt)) - np.repeat(starts, n)
    half = np.repeat(n // 2, n)
    early, late = place < half, place >= np.repeat(n, n) - half
    enough = n >= 2
    sums = [np.add.reduceat(np.where(side, value, 0.0), starts)[enough] for side in (early, late)]
    difference: Numbers = (sums[0] - sums[1]) / (n // 2)[enough]
    return difference


def _beyond_chance(differences: Numbers, least: float) -> bool:
    if len(differences) < _MIN_PROMPTS:
        return False
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(len(differences)))
    return mean >= least and mean >= _SIGMAS * error


def _rows(table: PooledSamples, mask: NDArray[np.bool_]) -> PooledSamples:
    return PooledSamples(**{name: column[mask] for name, column in vars(table).items()})


def _joined(parts: list[PooledSamples]) -> PooledSamples:
    return PooledSamples(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})
