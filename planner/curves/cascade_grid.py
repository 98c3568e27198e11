"""The grid of cascades that a log suggests: from its generators, verifiers and score quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

from planner.core import AgreementStop, Arm, BetaVoteStop, ScoreStop, Stage, Stop
from planner.curves.cascade_pools import Drawn

MOST_DRAWS = (2, 3, 4, 8, 16, 32)
MOST_ATTEMPTS = (2, 3, 4, 8)
FIRST_SAMPLES = (1, 2, 3, 4, 8)
FIRST_ATTEMPTS = (2, 3, 4)
ESCALATED_SAMPLES = (1, 2, 4)
ESCALATED_VOTES = (1, 3)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LEAST_AGREEING = (2, 3, 4)
CONFIDENCES = (0.8, 0.9, 0.95)
BATCHES = (1, 2, 4, 8)
# A full vote of more samples than this is past what a grid needs.
MOST_VOTES = 64
# Triples of generators grow with the cube of their number.
MOST_IN_TRIPLES = 4


def grid(pools: Sequence[Drawn]) -> list[Arm]:
    """Candidate cascades over these pools, every one once."""
    scored = [pool for pool in pools if pool.thresholds]
    voting = [pool for pool in pools if pool.votes]
    arms: dict[str, Arm] = {}
    for arm in (
        *_single_scored(scored), *_escalated_scored(scored), *_three_stages(scored),
        *_single_votes(voting), *_escalated_votes(voting, pools),
    ):  # fmt: skip
        arms.setdefault(arm.key, arm)
    return list(arms.values())


def fixed_rivals(pools: Sequence[Drawn]) -> list[Arm]:
    """One-stage cascades without a rule, which are fixed arms: what a cascade must beat to be kept."""
    rivals = []
    for pool in pools:
        for m in (1, *_upto(MOST_DRAWS, pool.n_samples if pool.thresholds else pool.n_votes)):
            if pool.thresholds:
                rivals += [_cascade([(pool, _stage(pool, m))], how) for how in _selections([pool])]
            elif pool.votes or m == 1:
                rivals.append(_cascade([(pool, _stage(pool, m, scored=False))], "majority_vote"))
    return rivals


def _stage(
    pool: Drawn,
    n: int,
    stop: Stop | None = None,
    *,
    batch: int = 1,
    attempts: bool = False,
    scored: bool = True,
) -> Stage:
    return Stage(
        generator=pool.generator, verifier=pool.verifier if scored else None,
        draw="attempts" if attempts else "samples", batch=batch, max_samples=n, stop=stop,
    )  # fmt: skip


def _cascade(stages: Sequence[tuple[Drawn, Stage]], selection: str, **params: Any) -> Arm:  # noqa: ANN401 - JSON values
    if any(pool.settings for pool, _ in stages):
        params["settings"] = [pool.settings for pool, _ in stages]
    first = stages[0][1]
    return Arm(
        generator=first.generator, verifier=first.verifier, search="cascade", selection=selection,
        breadth=sum(stage.max_samples for _, stage in stages),
        params={"stages": [stage.model_dump(mode="json") for _, stage in stages], **params},
    )  # fmt: skip


def _selections(pools: Sequence[Drawn]) -> tuple[str, ...]:
    return ("best_of_n", "weighted_vote") if all(pool.has_answers for pool in pools) else ("best_of_n",)


def _single_scored(pools: Sequence[Drawn]) -> Iterator[Arm]:
    """Draw samples, or attempts of one chain, until a score reaches a threshold."""
    for pool in pools:
        for threshold in pool.thresholds:
            stop = ScoreStop(threshold=threshold)
            for how in _selections([pool]):
                for m in _upto(MOST_DRAWS, pool.n_samples):
                    for batch in (batch for batch in BATCHES if batch == 1 or batch * 2 <= m):
                        yield _cascade([(pool, _stage(pool, m, stop, batch=batch))], how)
                for d in _upto(MOST_ATTEMPTS, pool.n_attempts):
                    yield _cascade([(pool, _stage(pool, d, stop, attempts=True))], how)


def _escalated_scored(pools: Sequence[Drawn]) -> Iterator[Arm]:
    """Try a cheap generator until a score, then a dearer or better one, which stops by score itself."""
    for first, then in permutations(pools, 2):
        if not _rises(first, then):
            continue
        for threshold in first.thresholds:
            stop = ScoreStop(threshold=threshold)
            begins = [_stage(first, m, stop) for m in _upto(FIRST_SAMPLES, first.n_samples)]
            begins += [_stage(first, d, stop, attempts=True) for d in _upto(FIRST_ATTEMPTS, first.n_attempts)]
            ends = [_stage(then, m, stop if m > 1 else None) for m in _upto(ESCALATED_SAMPLES, then.n_samples)]
            ends += [_stage(then, d, stop, attempts=True) for d in _upto(FIRST_ATTEMPTS, then.n_attempts)]
            for begin in begins:
                for end in ends:
                    for how in _selections([first, then]):
                        yield _cascade([(first, begin), (then, end)], how)


def _three_stages(pools: Sequence[Drawn]) -> Iterator[Arm]:
    """Go from small to one that revises (or a middle one) to the largest."""
    if len(pools) > MOST_IN_TRIPLES:
        return
    for first, middle, last in combinations(sorted(pools, key=lambda pool: (pool.cost, pool.accuracy)), 3):
        for threshold in first.thresholds:
            stop = ScoreStop(threshold=threshold)
            begins = [_stage(first, m, stop) for m in _upto((1, 2), first.n_samples)]
            revised = [_stage(middle, d, stop, attempts=True) for d in _upto((2, 3), middle.n_attempts)]
            middles = revised or [_stage(middle, m, stop) for m in _upto((1, 2), middle.n_samples)]
            ends = [_stage(last, m, stop if m > 1 else None) for m in _upto((1, 2), last.n_samples)]
            for begin in begins:
                for between in middles:
                    for end in ends:
                        for how in _selections([first, middle, last]):
                            yield _cascade([(first, begin), (middle, between), (last, end)], how)


def _single_votes(pools: Sequence[Drawn]) -> Iterator[Arm]:
    """Vote, and stop once the vote is sure: by agreement, or by the Beta rule."""
    for pool in pools:
        most = _upto((*MOST_DRAWS, min(pool.n_votes, MOST_VOTES)), pool.n_votes)
        for m in sorted({m for m in most if m > 2}):
            least = [k for k in LEAST_AGREEING if k < m]
            stops: list[Stop] = [AgreementStop(share=share, min_samples=k) for share in SHARES for k in least]
            stops += [BetaVoteStop(confidence=confidence) for confidence in CONFIDENCES]
            for stop in stops:
                for batch in (batch for batch in BATCHES if batch == 1 or batch * 2 <= m):
                    yield _cascade([(pool, _stage(pool, m, stop, batch=batch, scored=False))], "majority_vote")


def _escalated_votes(firsts: Sequence[Drawn], pools: Sequence[Drawn]) -> Iterator[Arm]:
    """Let a cheap generator vote; where it does not agree, a dearer or better one decides or votes too."""
    for first in firsts:
        for then in pools:
            if then.generator == first.generator or not then.has_answers or not _rises(first, then):
                continue
            for m in sorted({*_upto(FIRST_SAMPLES[1:], first.n_votes), min(first.n_votes, 10)}):
                for begin in _votes_before_escalation(first, m):
                    for n in _upto(ESCALATED_VOTES, then.n_votes):
                        stages = [(first, begin), (then, _stage(then, n, scored=False))]
                        yield _cascade(stages, "majority_vote")
                        yield _cascade(stages, "majority_vote", answer_from="last_stage")


def _votes_before_escalation(pool: Drawn, m: int) -> Iterator[Stage]:
    for share in SHARES:
        yield _stage(pool, m, AgreementStop(share=share, min_samples=m), batch=m, scored=False)
    for confidence in CONFIDENCES:
        yield _stage(pool, m, BetaVoteStop(confidence=confidence), scored=False)


def _rises(first: Drawn, then: Drawn) -> bool:
    return then.cost > first.cost or then.accuracy > first.accuracy


def _upto(values: Sequence[int], most: int) -> list[int]:
    return [value for value in values if value <= most]
