"""What every prefix of a plan of draws looks like: shared by all stop rules over that plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.curves.cascade_draws import Orders, Source, stage_rows
from planner.curves.logs import Floats, Ints
from planner.curves.stop import CHOOSERS, VERDICT
from planner.errors import InvalidInput

# Votes of a draw that leads no group are below this: it cannot win.
TIED = np.float32(0.5)
SCORED = ("best_of_n", "weighted_vote", "filter_vote")


@dataclass(frozen=True)
class Draw:
    """The draws of one stage, without its stop rule: `n` samples, or attempts of one chain.

    `pool` is their place among the chains of a `Source`.
    """

    pool: int
    kind: Literal["samples", "attempts"]
    n: int
    verified: bool


Plan = tuple[Draw, ...]


def chains_used(plan: Plan, pool: int) -> int:
    """Chains of `pool` that the plan draws from: no stage draws a sample that an earlier one has drawn."""
    return sum(1 if draw.kind == "attempts" else draw.n for draw in plan if draw.pool == pool)


def drawable(plan: Plan, source: Source, *, votes: bool) -> NDArray[np.bool_]:
    """Prompts on which enough is logged for the whole plan, shape (prompts,); `votes`: answers are needed."""
    enough = np.ones(len(source.chains[0].n), dtype=np.bool_)
    for draw in plan:
        chains = source.chains[draw.pool]
        enough &= chains.n >= chains_used(plan, draw.pool)
        enough &= chains.depth >= (draw.n if draw.kind == "attempts" else 1)
        enough &= chains.scored if draw.verified else True
        enough &= chains.answered if votes else True
    return enough


class Trace:
    """A plan drawn in full on some prompts and orders; matrices are (draws of the plan, prompts x orders)."""

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
            parts.append(rows.reshape(-1, draw.n).T)
        self.rows = np.concatenate(parts)
        self._values: dict[tuple[str, str], Floats] = {}
        self._spent: dict[tuple[str, int], Floats] = {}

    @cached_property
    def answer(self) -> Ints:
        """Answers drawn."""
        return np.asarray(self.columns.answer[self.rows])

    @cached_property
    def verified(self) -> NDArray[np.bool_]:
        """Whether a verifier scores the draw, (draws, 1)."""
        return np.repeat([draw.verified for draw in self.plan], np.diff(self.bounds))[:, None]

    @cached_property
    def score(self) -> Floats:
        """Scores drawn; -inf where the stage has no verifier, which stops nothing and is chosen last."""
        return np.where(self.verified, self.columns.score[self.rows], -np.float32(np.inf))

    @cached_property
    def seconds(self) -> Floats:
        """Seconds of each draw, with the verifier's where one scores it."""
        columns = self.columns
        seconds = np.where(self.verified, columns.scored_seconds[self.rows], columns.latency_seconds[self.rows])
        return np.asarray(seconds)

    @cached_property
    def greatest_score(self) -> Floats:
        """Greatest score among the first k draws, at k - 1."""
        return np.maximum.accumulate(self.score, axis=0)

    @cached_property
    def top_two(self) -> tuple[Ints, Ints]:
        """Sizes of the two largest answer groups among the first k draws, at k - 1."""
        first, second = np.zeros(self.rows.shape, np.int32), np.zeros(self.rows.shape, np.int32)
        leader = _leaders(self.answer)
        votes = np.zeros(self.rows.shape, np.int32)
        columns = np.arange(self.rows.shape[1])
        for k, mine in enumerate(leader):
            # Only the group of the newest draw grows: it passes the second, or the first, or stays behind.
            votes[mine, columns] += mine >= 0
            size = np.where(mine >= 0, votes[mine, columns], 0)
            if k == 0:
                first[k], top = size, mine.copy()
                continue
            leads = mine == top
            passes = size > first[k - 1]
            behind = np.where(leads, second[k - 1], np.maximum(second[k - 1], size))
            second[k] = np.where(passes & ~leads, first[k - 1], behind)
            first[k] = np.maximum(first[k - 1], size)
            top = np.where(passes, mine, top)
        return first, second

    def value(self, selection: str, *, answer_from: str = "all") -> Floats:
        """Give the expected correctness of the answer chosen over the first k draws, at k - 1.

        With `answer_from` "last_stage" the answer is chosen over the draws of the k-th's own stage.
        """
        key = (selection, answer_from)
        if key not in self._values:
            stages = list(self.stages) if answer_from == "last_stage" else [slice(0, len(self.rows))]
            self._values[key] = np.concatenate([self._choose(selection, draws) for draws in stages])
        return self._values[key]

    @property
    def stages(self) -> Iterator[slice]:
        """The draws of each stage."""
        return (slice(int(low), int(high)) for low, high in pairwise(self.bounds))

    def spent(self, kind: str, stage: int) -> Floats:
        """Tokens of one kind after 0, 1, ... draws of a stage, (draws + 1, prompts x orders)."""
        key = (kind, stage)
        if key not in self._spent:
            rows = self.rows[self.bounds[stage] : self.bounds[stage + 1]]
            self._spent[key] = prefix_sums(getattr(self.columns, kind)[rows])
        return self._spent[key]

    def _choose(self, selection: str, draws: slice) -> Floats:
        rows = self.rows[draws]
        correct = self.columns.correct[rows]
        if selection == "best_of_n":
            return _best(self.score[draws], correct)
        answer, value = self.answer[draws], self.columns.vote_correct[rows]
        if selection == "majority_vote":
            return _vote(answer, value, np.ones(rows.shape, np.float32), correct)
        score = self.score[draws]
        if selection == "weighted_vote":
            return _vote(answer, value, score, correct)
        if selection == "filter_vote":
            kept = ((score >= VERDICT) & (answer >= 0)).astype(np.float32)
            everyone = _vote(answer, value, np.ones(rows.shape, np.float32), correct)
            return np.where(np.maximum.accumulate(kept) > 0, _vote(answer, value, kept, correct), everyone)
        raise InvalidInput(f"a cascade cannot choose by {selection!r}: use one of {', '.join(CHOOSERS)}")


def _best(score: Floats, correct: Floats) -> Floats:
    """Mean correctness of the candidates of greatest score, by prefix."""
    value = np.empty(score.shape, np.float32)
    top, total, ties = score[0], correct[0], np.ones(score.shape[1], np.float32)
    value[0] = total
    for k in range(1, len(score)):
        better, equal = score[k] > top, score[k] == top
        total = np.where(better, correct[k], total + np.where(equal, correct[k], np.float32(0)))
        ties = np.where(better, np.float32(1), ties + equal)
        top = np.maximum(top, score[k])
        value[k] = total / ties
    return value


def _leaders(answer: Ints) -> NDArray[np.intp]:
    """Place of the first draw with the same answer, by draw; -1 for a draw without answer."""
    leader = np.empty(answer.shape, np.intp)
    for k in range(len(answer)):
        leader[k] = (answer[: k + 1] == answer[k]).argmax(axis=0)
    leader[answer < 0] = -1
    return leader


def _vote(answer: Ints, value: Floats, weight: Floats, correct: Floats) -> Floats:
    """Mean correctness of the answers of greatest weight by prefix; of the first draw where none answers."""
    leader = _leaders(answer)
    votes = np.where(leader == np.arange(len(answer))[:, None], np.float32(0), np.float32(-1))
    columns = np.arange(answer.shape[1])
    out = np.empty(answer.shape, np.float32)
    for k in range(len(answer)):
        votes[leader[k], columns] += np.where(leader[k] >= 0, weight[k], np.float32(0))
        seen = votes[: k + 1]
        top = seen.max(axis=0)
        # Sums of the same weights in another order differ by rounding: such answers are tied.
        winner = seen >= np.maximum(top - np.float32(1e-6), -TIED)
        n_winners = winner.sum(axis=0)
        total = np.where(winner, value[: k + 1], np.float32(0)).sum(axis=0)
        out[k] = np.where(n_winners > 0, total / np.maximum(n_winners, 1), correct[0])
    return out


def prefix_sums(values: Floats) -> Floats:
    """Sum the first 0, 1, ..., K values of each column, shape (K + 1, columns)."""
    sums = np.zeros((len(values) + 1, values.shape[1]), np.float32)
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def at(matrix: NDArray[Any], place: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """One value of each column."""
    return np.asarray(matrix[place, np.arange(matrix.shape[1])])
