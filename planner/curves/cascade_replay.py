"""Replay of cascades over random orders of drawing: when each stops, what it answers and what it spends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core import AgreementStop, Arm, BetaVoteStop, ScoreStop, Stage, Stop
from planner.curves.cascade_draws import Source
from planner.curves.cascade_trace import SCORED, Draw, Plan, Trace, at, prefix_sums
from planner.curves.logs import Floats, Ints, Logs, Pool
from planner.curves.stop import least_lead
from planner.errors import InvalidInput


def plan_of(arm: Arm, laid: Source) -> Plan:
    """Find the draws of a cascade, each with the place of the chains that it draws from.

    Raises InvalidInput where none are logged, or the selection or a stop rule needs scores that a stage lacks.
    """
    settings = arm.params.get("settings") or [{}] * len(arm.stages)
    scored = arm.selection in SCORED
    found = []
    for stage, setting in zip(arm.stages, settings, strict=True):
        if stage.verifier is None and (scored or isinstance(stage.stop, ScoreStop)):
            raise InvalidInput(f"stage {stage.generator!r} of a cascade needs a verifier: its scores are asked for")
        found.append(_pools_of(stage, setting, laid.pools))
    verified = {places[0] for places, stage in zip(found, arm.stages, strict=True) if stage.verifier is not None}
    return tuple(
        Draw(_place(places, verified, laid), stage.draw, stage.max_samples, stage.verifier is not None)
        for places, stage in zip(found, arm.stages, strict=True)
    )


def _pools_of(stage: Stage, setting: dict[str, Any], pools: Sequence[Pool]) -> tuple[int, ...]:
    """Places of the pools that hold samples of a stage: all alike where it has no verifier."""
    places = tuple(
        place
        for place, pool in enumerate(pools)
        if pool.generator == stage.generator
        and dict(pool.params) == setting
        and stage.verifier in {None, pool.verifier}
    )
    if places:
        return places
    scored = f" scored by {stage.verifier!r}" if stage.verifier else ""
    raise InvalidInput(
        f"no samples of {stage.generator!r}{scored} are logged: cascades are replayed from independent ones"
    )


def _place(places: tuple[int, ...], verified: Collection[int], laid: Source) -> int:
    """A pool that a verified stage draws from, if any: no sample is to be drawn twice. Else the largest of them."""
    shared = [place for place in places if place in verified]
    if shared or places not in laid.alike:
        return (shared or places)[0]
    return len(laid.pools) + laid.alike.index(places)


def needs_answers(arm: Arm) -> bool:
    """Whether equal answers have to be told: by a vote, or by a rule that looks at agreement."""
    rules = any(isinstance(stage.stop, AgreementStop | BetaVoteStop) for stage in arm.stages)
    return rules or arm.selection.endswith("_vote")


@dataclass(frozen=True)
class Stopped:
    """Where a cascade ends on each replay: draws made and last stage reached, shape (prompts x orders,)."""

    n_drawn: Ints
    last_stage: Ints


def stop_points(trace: Trace, stages: Sequence[Stage]) -> Stopped:
    """Apply the stop rules of `stages` to a trace; a rule is tried after each batch of its stage."""
    n_draws, n_replays = trace.rows.shape
    n_drawn = np.full(n_replays, n_draws, dtype=np.int32)
    last = np.full(n_replays, len(stages) - 1, dtype=np.int32)
    going = np.ones(n_replays, dtype=np.bool_)
    for place, stage in enumerate(stages):
        if stage.stop is None:
            continue
        for end in batch_ends(stage) + trace.bounds[place]:
            stopped = going & _holds(trace, stage.stop, int(end))
            n_drawn[stopped] = end
            last[stopped] = place
            going &= ~stopped
    return Stopped(n_drawn, last)


def batch_ends(stage: Stage) -> NDArray[np.intp]:
    """Draws made after each batch of a stage; attempts revise one another, so that a batch of them is one."""
    batch = 1 if stage.draw == "attempts" else stage.batch
    return np.append(np.arange(batch, stage.max_samples, batch), stage.max_samples)


def _holds(trace: Trace, stop: Stop, n_drawn: int) -> NDArray[np.bool_]:
    """Whether a rule holds after the first `n_drawn` draws, by replay."""
    match stop:
        case ScoreStop(threshold=threshold):
            return np.asarray(trace.greatest_score[n_drawn - 1] >= np.float32(threshold))
        case AgreementStop(share=share, min_samples=least):
            agree = trace.top_two[0][n_drawn - 1] >= share * n_drawn - 1e-9
            return agree if n_drawn >= least else np.zeros_like(agree)
        case BetaVoteStop(confidence=confidence):
            first, second = (votes[n_drawn - 1] for votes in trace.top_two)
            return np.asarray(first >= least_lead(confidence, len(trace.rows))[second])


def seconds(trace: Trace, stages: Sequence[Stage], concurrency: Sequence[int | None]) -> Floats:
    """Latency up to each number of draws, (draws + 1, replays); exact at ends of batches.

    A batch runs side by side, in waves where the endpoint bears less; a wave lasts as long as its slowest.
    """
    one = trace.seconds
    if np.isnan(one).all():
        return np.broadcast_to(np.float32(np.nan), (len(one) + 1, one.shape[1]))
    spent = np.zeros(one.shape, np.float32)
    for low, stage, limit in zip(trace.bounds, stages, concurrency, strict=False):
        ends = batch_ends(stage)
        for begin, end in pairwise((0, *ends)):
            width = limit or end - begin
            for wave in range(low + begin, low + end, width):
                stop = min(wave + width, low + end)
                spent[stop - 1] += one[wave:stop].max(axis=0)
    return prefix_sums(spent)


@dataclass(frozen=True)
class Replay:
    """Means over orders of one cascade on some prompts.

    outcome, latency_seconds, latency_worst_seconds: (prompts,). The rest by stage, (prompts, stages):
    expected draws and tokens, and the share of replays in which the stage is the last.
    """

    outcome: Floats
    generations: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    verifier_tokens: Floats
    latency_seconds: Floats
    latency_worst_seconds: Floats
    ended: Floats


def replay(trace: Trace, arm: Arm, n_orders: int, concurrency: Sequence[int | None]) -> Replay:
    """Replay one cascade over a trace of its plan."""
    stopped = stop_points(trace, arm.stages)
    drawn = [np.clip(stopped.n_drawn - low, 0, high - low) for low, high in pairwise(trace.bounds)]

    def mean(values: NDArray[Any]) -> Floats:
        return np.asarray(values.reshape(-1, n_orders).mean(axis=1, dtype=np.float64), dtype=np.float32)

    def tokens(kind: str) -> Floats:
        return np.stack([mean(at(trace.spent(kind, stage), n)) for stage, n in enumerate(drawn)], axis=1)

    value = trace.value(arm.selection, answer_from=arm.params.get("answer_from", "all"))
    time = seconds(trace, arm.stages, concurrency)
    latency_worst = mean(time[-1])
    verified = np.array([draw.verified for draw in trace.plan])
    return Replay(
        outcome=mean(at(value, stopped.n_drawn - 1)),
        generations=np.stack([mean(n) for n in drawn], axis=1),
        prompt_tokens=tokens("prompt_tokens"),
        completion_tokens=tokens("completion_tokens"),
        verifier_tokens=np.where(verified, tokens("verifier_tokens"), np.float32(0)),
        latency_seconds=np.where(np.isnan(latency_worst), latency_worst, mean(at(time, stopped.n_drawn))),
        latency_worst_seconds=latency_worst,
        ended=np.stack([mean(stopped.last_stage == stage) for stage in range(len(drawn))], axis=1),
    )


def concurrency_of(arm: Arm, logs: Logs) -> list[int | None]:
    """How many samples the endpoint of each stage bears at once; None where its card is silent."""
    cards = [logs.models.get(stage.generator) for stage in arm.stages]
    return [None if card is None else card.max_concurrency for card in cards]
