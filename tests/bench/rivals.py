"""Votes that stop early, as published: what sessions without a verifier are judged by, at equal cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.core import Arm, Stage, Unit
from planner.curves.cascade import replay_cascades
from planner.curves.costs import logged_cost, rates
from planner.curves.logs import Floats, Logs
from planner.curves.usage import pool_slots
from planner.policy.frontier import Hull, mixture_hull

CONFIDENCES = (0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
WINDOWS = (2, 3, 4, 5, 8)
N_ORDERS = 16
STEPS = 50
KINDS = ("Adaptive-Consistency", "early-stopping self-consistency")


@dataclass(frozen=True)
class Rules:
    """R settings of one rule on the same prompts: accuracy and cost (P, R), in expectation over orders of drawing."""

    accuracy: Floats
    cost: Floats

    def hull(self, rows: np.ndarray | slice = slice(None)) -> Hull:
        """The settings worth mixing, as these prompts tell."""
        return mixture_hull(np.nanmean(self.cost[rows], axis=0), np.nanmean(self.accuracy[rows], axis=0))

    def at(self, cost: float, hulls: Sequence[tuple[np.ndarray, Hull]]) -> np.ndarray:
        """(P,) accuracy of mixtures that come to a REALISED mean cost, or as near as they can.

        hulls: rows of prompts, and the hull by which their mixture is chosen.
        """
        low, high = min(h.costs[0] for _, h in hulls), max(h.costs[-1] for _, h in hulls)
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._mixed(middle, hulls)[1].mean() > cost else (middle, high)
        return self._mixed(low, hulls)[0]

    def _mixed(self, cost: float, hulls: Sequence[tuple[np.ndarray, Hull]]) -> tuple[np.ndarray, np.ndarray]:
        accuracy, spent = np.full(len(self.cost), np.nan), np.full(len(self.cost), np.nan)
        for rows, hull in hulls:
            mixture = hull.mixture(max(cost, float(hull.costs[0])))
            assert mixture is not None, "no less than the cheapest is asked for"
            for share, rule in ((1 - mixture.share, mixture.lower), (mixture.share, mixture.upper)):
                for into, own in ((accuracy, self.accuracy), (spent, self.cost)):
                    into[rows] = np.nan_to_num(into[rows]) + share * own[rows, rule]
        return accuracy, spent

    def in_hindsight(self, cost: float) -> np.ndarray:
        """The same, chosen on these very prompts."""
        return self.at(cost, [(np.arange(len(self.cost)), self.hull())])


def adaptive_consistency(logs: Logs, most: Mapping[str, int], unit: Unit) -> Rules:
    """One sample, and votes that stop when the Beta rule is sure (Aggarwal et al. 2023), of each generator.

    most: samples that a generator's vote draws at most.
    """
    stops = [None, *({"rule": "beta_vote", "confidence": confidence} for confidence in CONFIDENCES)]
    arms = [_vote(generator, 1 if stop is None else n, stop) for generator, n in most.items() for stop in stops]
    table = replay_cascades(logs, arms)
    return Rules(table.outcome, logged_cost(table, unit))


def _vote(generator: str, most: int, stop: dict[str, object] | None) -> Arm:
    stage = Stage.model_validate({"generator": generator, "max_samples": most, "stop": stop}).model_dump(mode="json")
    return Arm(
        generator=generator, search="cascade", selection="majority_vote", breadth=most, params={"stages": [stage]}
    )


def early_stopping(logs: Logs, most: Mapping[str, int], unit: Unit) -> Rules:
    """One sample, and votes drawn in windows until one window agrees within itself (Li et al. 2024)."""
    rng = np.random.default_rng(0)
    settings = [(generator, n, window) for generator, n in most.items() for window in (1, *WINDOWS)]
    found = np.full((2, len(logs.prompts), len(settings)), np.nan, dtype=np.float32)
    cost = _costs(logs, unit)
    for column, (generator, n, window) in enumerate(settings):
        pool = next(i for i, one in enumerate(logs.pools) if one.generator == generator)
        first = np.flatnonzero((logs.samples.pool == pool) & (logs.samples.attempt == 0))
        starts = np.searchsorted(logs.samples.prompt[first], np.arange(len(logs.prompts) + 1))
        for prompt in range(len(logs.prompts)):
            rows = first[starts[prompt] : starts[prompt + 1]]
            if len(rows) >= n:
                drawn = [_windows(logs, cost, rng.permutation(rows)[:n], window) for _ in range(N_ORDERS)]
                found[:, prompt, column] = np.mean(drawn, axis=0)
    return Rules(found[0], found[1])


def _windows(logs: Logs, cost: Floats, rows: np.ndarray, window: int) -> tuple[float, float]:
    """Correctness and cost of one order: windows until all answers of one are equal."""
    samples, used = logs.samples, len(rows)
    for start in range(0, len(rows) - window + 1, window):
        answers = samples.answer[rows[start : start + window]]
        if (answers == answers[0]).all() and answers[0] >= 0:
            used = start + window
            break
    kept = rows[:used]
    spent = float(cost[kept].sum())
    voters = kept[samples.answer[kept] >= 0]
    if not len(voters):
        return float(samples.correct[kept[0]]), spent
    _, first, counts = np.unique(samples.answer[voters], return_index=True, return_counts=True)
    return float(np.mean(samples.correct[voters[first[counts == counts.max()]]])), spent


def _costs(logs: Logs, unit: Unit) -> Floats:
    """(S,) cost of every logged sample, without any verifier."""
    n_pools = len(logs.pools)
    rate = rates(pool_slots(logs, range(n_pools), [None] * n_pools), logs.models, unit)
    samples = logs.samples
    own = [part[samples.pool] for part in (rate.generation, rate.prompt, rate.completion)]
    tokens = [np.nan_to_num(part) for part in (samples.prompt_tokens, samples.completion_tokens)]
    return np.asarray(own[0] + own[1] * tokens[0] + own[2] * tokens[1], dtype=np.float32)


def difference(gain: np.ndarray) -> str:
    """Points of accuracy gained, with the standard error over prompts."""
    known = gain[np.isfinite(gain)]
    return f"{100 * known.mean():+z.2f} ± {100 * known.std() / np.sqrt(len(known)):.2f}"
