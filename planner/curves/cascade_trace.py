"""What every prefix of a plan of draws looks like, on every prompt and order: shared by all stop rules over that plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.curves.cascade_draws import Columns, Orders, Source, stage_rows
from planner.curves.logs import Floats, Ints
from planner.curves.stop import VERDICT
from planner.errors import InvalidInput

SCORED = ("best_of_n", "weighted_vote", "filter_vote")


@dataclass(frozen=True)
class Draw:
    """The draws of one stage, without its stop rule: `n` samples, or attempts of one chain, of `pool`."""

    pool: int
    kind: Literal["samples", "attempts"]
    n: int
    verified: bool


Plan = tuple[Draw, ...]


def chains_used(plan: Plan, pool: int) -> int:
    """Chains of `pool` that the plan draws from: no stage draws a sample that an earlier one has drawn."""
    return sum(1 if draw.kind == "attempts" else draw.n for draw in plan if draw.pool == pool)


def drawable(plan: Plan, source: Source) -> NDArray[np.bool_]:
    """Prompts on which enough is logged for the whole plan, shape (prompts,)."""
    enough = np.ones(len(source.chains[0].n), dtype=np.bool_)
    for draw in plan:
        chains = source.chains[draw.pool]
        enough &= chains.n >= chains_used(plan, draw.pool)
        enough &= chains.depth >= (draw.n if draw.kind == "attempts" else 1)
    return enough


class Trace:
    """A plan drawn in full on some prompts and orders; matrices are (prompts x orders, draws of the plan)."""

    def __init__(self, plan: Plan, source: Source, orders: Orders) -> None:
        self.plan = plan
        self.columns = source.columns
        self.bounds = np.cumsum([0, *(draw.n for draw in plan)])
        parts = []
        for place, draw in enumerate(plan):
            skip = chains_used(plan[:place], draw.pool)
            rows = stage_rows(
                source.chains[draw.pool], orders, draw.pool,
                draw=draw.kind, skip=skip, n_draws=draw.n, n_rows=len(source.columns.answer),
            )  # fmt: skip
            parts.append(rows.reshape(-1, draw.n))
        self.rows = np.concatenate(parts, axis=1)

    @cached_property
    def answer(self) -> Ints:
        return self.columns.answer[self.rows]

    @cached_property
    def score(self) -> Floats:
        score = self.columns.score[self.rows]
        for place, draw in enumerate(self.plan):
            if not draw.verified:
                score[:, self.bounds[place] : self.bounds[place + 1]] = -np.inf
        return score

    @cached_property
    def greatest_score(self) -> Floats:
        """Greatest score among the first k draws, at k - 1."""
        return np.maximum.accumulate(self.score, axis=1)

    @cached_property
    def top_two(self) -> tuple[Ints, Ints]:
        """Sizes of the two largest answer groups among the first k draws, at k - 1."""
        first, second = np.zeros(self.rows.shape, np.int32), np.zeros(self.rows.shape, np.int32)
        leads = _leads(self.answer)
        votes = np.zeros(self.rows.shape, np.int32)
        for k in range(self.rows.shape[1]):
            votes += (self.answer == self.answer[:, k : k + 1]) & leads
            seen = np.sort(votes[:, : k + 1], axis=1) if k else votes[:, :1]
            first[:, k] = seen[:, -1]
            if k:
                second[:, k] = seen[:, -2]
        return first, second

    def value(self, selection: str, *, answer_from: str = "all") -> Floats:
        """Expected correctness of the answer chosen over the first k draws, at k - 1.

        With `answer_from` "last_stage" the answer is chosen over the draws of the stage that the k-th belongs to.
        """
        key = (selection, answer_from)
        if key not in self._values:
            self._values[key] = self._value(selection, answer_from)
        return self._values[key]

    @cached_property
    def _values(self) -> dict[tuple[str, str], Floats]:
        return {}

    def _value(self, selection: str, answer_from: str) -> Floats:
        if answer_from == "all":
            return self._choose(selection, slice(0, self.rows.shape[1]))
        stages = zip(self.bounds[:-1], self.bounds[1:], strict=True)
        return np.concatenate([self._choose(selection, slice(low, high)) for low, high in stages], axis=1)

    def _choose(self, selection: str, draws: slice) -> Floats:
        rows = self.rows[:, draws]
        correct = self.columns.correct[rows]
        if selection == "best_of_n":
            return _best(self.score[:, draws], correct)
        if selection == "last":
            return correct
        if selection == "first":
            return np.broadcast_to(correct[:, :1], correct.shape)
        answer, value = self.answer[:, draws], self.columns.vote_correct[rows]
        ones = np.ones(rows.shape, np.float32)
        if selection == "majority_vote":
            return _vote(answer, value, ones, correct)
        score = np.where(np.isfinite(self.score[:, draws]), self.score[:, draws], np.float32(0))
        if selection == "weighted_vote":
            return _vote(answer, value, score, correct)
        if selection == "filter_vote":
            kept = ((score >= VERDICT) & (answer >= 0)).astype(np.float32)
            any_kept = np.maximum.accumulate(kept, axis=1) > 0
            return np.where(any_kept, _vote(answer, value, kept, correct), _vote(answer, value, ones, correct))
        raise InvalidInput(f"a cascade cannot choose by {selection!r}: use majority_vote, filter_vote, weighted_vote or best_of_n")


def _best(score: Floats, correct: Floats) -> Floats:
    """Mean correctness of the candidates of greatest score, by prefix."""
    value = np.empty(score.shape, np.float32)
    top, total, ties = score[:, 0].copy(), correct[:, 0].copy(), np.ones(len(score), np.float32)
    value[:, 0] = total
    for k in range(1, score.shape[1]):
        new, y = score[:, k], correct[:, k]
        better, equal = new > top, new == top
        total = np.where(better, y, np.where(equal, total + y, total))
        ties = np.where(better, np.float32(1), ties + equal)
        top = np.where(better, new, top)
        value[:, k] = total / ties
    return value


def _leads(answer: Ints) -> NDArray[np.bool_]:
    """Whether a draw is the first with its answer; a draw without answer never is."""
    leads = answer >= 0
    for k in range(1, answer.shape[1]):
        leads[:, k] &= ~(answer[:, :k] == answer[:, k : k + 1]).any(axis=1)
    return leads


def _vote(answer: Ints, value: Floats, weight: Floats, correct: Floats) -> Floats:
    """Mean correctness of the answers of greatest weight, by prefix; of the first draw where none has an answer."""
    leads = _leads(answer)
    votes = np.where(leads, np.float32(0), np.float32(-1))
    out = np.empty(answer.shape, np.float32)
    for k in range(answer.shape[1]):
        votes[:, : k + 1] += np.where(
            leads[:, : k + 1] & (answer[:, : k + 1] == answer[:, k : k + 1]), weight[:, k : k + 1], np.float32(0)
        )
        seen = votes[:, : k + 1]
        # Sums of the same weights in another order differ by rounding: such answers are tied.
        winner = (seen >= seen.max(axis=1, keepdims=True) - np.float32(1e-6)) & leads[:, : k + 1]
        n_winners = winner.sum(axis=1)
        total = (winner * value[:, : k + 1]).sum(axis=1)
        out[:, k] = np.where(n_winners > 0, total / np.maximum(n_winners, 1), correct[:, 0])
    return out


def prefix_sums(values: Floats) -> Floats:
    """Sums of the first 0, 1, ..., K values of each row, shape (rows, K + 1)."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1), np.float32)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def at(matrix: NDArray[Any], place: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """One value of each row."""
    return matrix[np.arange(len(matrix)), place]
