"""Every selection at every breadth, over all subsets of chains, for stacked prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.exact import best_of_each, expected_greatest
from planner.curves.logs import Floats, SampleTable
from planner.curves.plurality import plurality, plurality_work
from planner.curves.subsets import subsets, tally, vote
from planner.curves.units import Longs, Stack, dense_codes

Doubles = NDArray[np.float64]

FILTER_THRESHOLD = np.float32(0.5)  # filter_vote keeps scores of at least this (METHODS.md 1)
_EXACT_WORK = 3e8  # complex products of one exact vote: a second or two
_CELLS = 1 << 21  # numbers a tally of votes may hold: 8 MB


@dataclass(frozen=True)
class Rule:
    """A selection as an arm names it: `least` says that a chain's least step score is used, not its last."""

    selection: str
    least: bool = False

    @property
    def needs_score(self) -> bool:
        """Whether a verifier is read (and charged)."""
        return self.selection in {"filter_vote", "weighted_vote", "best_of_n"}


@dataclass(frozen=True)
class Candidates:
    """Stacked chains: every array is (prompts, chains, attempts), answers coded 0, 1, ... by prompt."""

    answer: Longs
    correct: Floats
    score: Floats
    least: Floats

    def __getitem__(self, prompts: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Candidates:
        return Candidates(self.answer[prompts], self.correct[prompts], self.score[prompts], self.least[prompts])


def candidates(samples: SampleTable, correct: Floats, stack: Stack) -> Candidates:
    """Gather the stack's rows; a candidate without an answer needs no score, it counts as 0."""
    shape = stack.rows.shape
    codes = dense_codes(samples.answer[stack.rows].reshape(shape[0], -1)).reshape(shape)
    scores = (column[stack.rows] for column in (samples.score, samples.score_min))
    score, least = (np.where(np.isnan(found) & (codes < 0), np.float32(0), found) for found in scores)
    return Candidates(codes, correct[stack.rows], score, least)


def grades_for(samples: SampleTable, grades: Floats, rule: Rule) -> Floats:
    """`grades` with NaN for samples that the rule cannot look at: with an answer, but without a score."""
    if not rule.needs_score:
        return grades
    unscored = np.isnan(samples.score_min if rule.least else samples.score) & (samples.answer >= 0)
    return np.where(unscored, np.float32(np.nan), grades)


def curves(
    cands: Candidates, breadths: Longs, rules: Iterable[Rule], rng: np.random.Generator
) -> Mapping[Rule, Floats]:
    """Expected outcome by (prompt, breadth) for each rule; NaN where scores or answers are not logged."""
    n = cands.correct.shape[1]
    reached = np.flatnonzero(breadths <= n)
    result = {}
    for rule in rules:
        values = np.full((len(cands.correct), len(breadths)), np.nan, dtype=np.float32)
        usable = _usable(cands, rule)
        if usable.any() and reached.size:
            values[np.ix_(usable, reached)] = _curve(cands[usable], breadths[reached], rule, rng)
        result[rule] = values
    return result


def _usable(cands: Candidates, rule: Rule) -> NDArray[np.bool_]:
    usable = np.ones(len(cands.correct), dtype=bool)
    if rule.needs_score:
        usable &= np.isfinite(cands.least if rule.least else cands.score).all(axis=(1, 2))
    if rule.selection.endswith("_vote"):
        # Without any answer logged nothing is known of a vote, unless no sample is correct anyway.
        usable &= (cands.answer >= 0).any(axis=(1, 2)) | (cands.correct == 0).all(axis=(1, 2))
    return usable


def _curve(cands: Candidates, breadths: Longs, rule: Rule, rng: np.random.Generator) -> Doubles | Floats:
    score = cands.least if rule.least else cands.score
    match rule.selection:
        case "first" | "last":
            attempt = 0 if rule.selection == "first" else -1
            return np.repeat(cands.correct[:, :, attempt].mean(axis=1, keepdims=True), len(breadths), axis=1)
        case "pass_at_k":
            return expected_greatest(cands.correct.max(axis=2).astype(np.float64), breadths)
        case "best_of_n":
            top = score.max(axis=2)
            equal = score == top[:, :, None]
            value = np.where(equal, cands.correct, 0).sum(axis=2) / equal.sum(axis=2)
            return best_of_each(top.astype(np.float64), value.astype(np.float64), breadths)
        case "weighted_vote":
            winners, weight = (cands, score) if score.shape[2] == 1 else chain_winners(cands, score)
            return _votes(winners, weight, breadths, rng)
        case "filter_vote":
            return _votes(cands, (score >= FILTER_THRESHOLD).astype(np.float32), breadths, rng, fall_back=True)
        case _:
            return _majority(cands, breadths, rng)


def chain_winners(cands: Candidates, score: Floats) -> tuple[Candidates, Floats]:
    """Within each chain the weighted vote's winner, with the greatest score of its attempts: depth becomes 1.

    Between answers of equal weight the one of the greatest single score wins (Snell et al.: hierarchical
    selection). An attempt without answer wins only where the chain has none at all.
    """
    same = cands.answer[:, :, :, None] == cands.answer[:, :, None, :]
    answered = cands.answer >= 0
    votes = np.where(answered, score, np.float32(0))
    weight = (same * votes[:, :, None, :]).sum(axis=3)
    weight[~answered & answered.any(axis=2, keepdims=True)] = -1
    greatest = np.where(same, score[:, :, None, :], np.float32(-1)).max(axis=3)
    level = weight >= weight.max(axis=2, keepdims=True) * np.float32(1 - 1e-5)
    place = np.where(level, greatest, np.float32(-1)).argmax(axis=2)[:, :, None]
    mean = (same * cands.correct[:, :, None, :]).sum(axis=3) / same.sum(axis=3)
    answer, best = np.take_along_axis(cands.answer, place, 2), np.take_along_axis(greatest, place, 2)
    return Candidates(answer, np.take_along_axis(mean, place, 2).astype(np.float32), best, best), best


def _majority(cands: Candidates, breadths: Longs, rng: np.random.Generator) -> Doubles | Floats:
    ones = np.ones(cands.answer.shape, dtype=np.float32)
    if cands.answer.shape[2] > 1:
        return _votes(cands, ones, breadths, rng)
    prompts, n, _ = cands.answer.shape
    result = np.empty((prompts, len(breadths)))
    counts = np.rint(tally(cands.answer, ones, _n_groups(cands)).sum(axis=0)).astype(np.int64).T
    values = group_values(cands).T.astype(np.float64)
    silent = n - counts.sum(axis=1)
    unanswered = np.where(cands.answer < 0, cands.correct, 0).sum(axis=(1, 2), dtype=np.float64) / np.maximum(silent, 1)
    # With one or two ballots the outcome is a sample's: two that differ tie.
    easy = (breadths <= 2) & (silent.sum() == 0)
    result[:, easy] = cands.correct.mean(axis=(1, 2))[:, None]
    for column in np.flatnonzero(~easy):
        k = int(breadths[column])
        if plurality_work(counts, values, n, k) <= _EXACT_WORK:
            result[:, column] = plurality(counts, values, silent, unanswered, k)
        else:
            result[:, column] = _votes(cands, ones, breadths[column : column + 1], rng)[:, 0]
    return result


def _votes(
    cands: Candidates, weights: Floats, breadths: Longs, rng: np.random.Generator, *, fall_back: bool = False
) -> Floats:
    """Vote of `weights` over subsets of chains.

    Where nobody votes, all answers do with `fall_back`; else, or without answers, a random candidate wins.
    """
    mean = cands.correct.mean(axis=(1, 2))
    result = np.repeat(mean[:, None], len(breadths), axis=1)
    # Where all candidates are worth the same, no vote can change anything.
    open_ = np.flatnonzero(np.ptp(cands.correct.reshape(len(mean), -1), axis=1) > 0)
    groups = cands.answer[open_].max(axis=(1, 2), initial=0) + 1
    open_ = open_[np.argsort(groups, kind="stable")]
    n = cands.answer.shape[1]
    matrices = [subsets(n, int(k), rng) for k in breadths]
    step = max(1, _CELLS // (n * int(groups.max(initial=1))))
    for start in range(0, len(open_), step):
        rows = open_[start : start + step]
        part = _shuffled(cands[rows], weights[rows], rng)
        result[rows] = _vote_chunk(*part, matrices, fall_back=fall_back)
    return result


def _shuffled(cands: Candidates, weights: Floats, rng: np.random.Generator) -> tuple[Candidates, Floats]:
    """Chains in a random order by prompt: the subsets are common to all prompts, their noise shall not be."""
    order = rng.random(cands.answer.shape[:2]).argsort(axis=1)[:, :, None]
    arrays: tuple[NDArray[Any], ...] = (cands.answer, cands.correct, cands.score, cands.least, weights)
    moved = [np.take_along_axis(array, order, 1) for array in arrays]
    return Candidates(*moved[:4]), moved[4]


def _vote_chunk(cands: Candidates, weights: Floats, matrices: list[Floats], *, fall_back: bool) -> Floats:
    n_groups, values = _n_groups(cands), group_values(cands)
    tallies = tally(cands.answer, weights, n_groups)
    everyone = tally(cands.answer, np.ones_like(weights), n_groups) if fall_back else None
    anyone = cands.correct.mean(axis=2).T
    result = np.empty((len(cands.answer), len(matrices)), dtype=np.float32)
    for column, subset in enumerate(matrices):
        won, voted = vote(subset, tallies, values)
        silent = np.flatnonzero(~voted.all(axis=0))
        if silent.size:
            other = subset @ anyone[:, silent] / subset.sum(axis=1, keepdims=True)
            if everyone is not None:
                all_won, all_voted = vote(subset, everyone[:, :, silent], values[:, silent])
                other = np.where(all_voted, all_won, other)
            won[:, silent] = np.where(voted[:, silent], won[:, silent], other)
        result[:, column] = won.mean(axis=0)
    return result


def _n_groups(cands: Candidates) -> int:
    return int(cands.answer.max(initial=0)) + 1


def group_values(cands: Candidates) -> Floats:
    """Mean correctness of each answer, (groups, prompts)."""
    n_groups = _n_groups(cands)
    counts = tally(cands.answer, np.ones(cands.answer.shape, np.float32), n_groups).sum(axis=0)
    return np.asarray(tally(cands.answer, cands.correct, n_groups).sum(axis=0) / np.maximum(counts, 1))
