"""Pools as the grid of cascades sees them: how much can be drawn, how good and dear, where scores part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.cascade_draws import Source
from planner.curves.cascade_price import Prices
from planner.curves.logs import Floats, Logs

# Thresholds lie where right and wrong samples part: at these quantiles of the scores of either.
RIGHT_QUANTILES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
WRONG_QUANTILES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
# With dozens of generators most pairs are dominated: only so many take part.
MOST_POOLS = 6
# A pool takes part with as many draws as this share of its prompts has.
MOST_PROMPTS = 0.9


@dataclass(frozen=True)
class Drawn:
    """One pool: draws that most prompts have, accuracy and cost of a sample, thresholds of its scores.

    n_votes: samples to draw where no score is read; n_samples and n_attempts where scores are, if there are any.
    """

    generator: str
    verifier: str | None
    settings: dict[str, Any]
    n_samples: int
    n_attempts: int
    n_votes: int
    has_answers: bool
    accuracy: float
    cost: float
    thresholds: tuple[float, ...]

    @property
    def votes(self) -> bool:
        """Whether agreement of its samples can be seen."""
        return self.has_answers and self.n_votes >= 3


def drawn_pools(logs: Logs, laid: Source, priced: Prices, prompts: NDArray[np.integer[Any]]) -> list[Drawn]:
    """Look up, on `prompts` alone, the pools that cascades may draw from, at most `MOST_POOLS`, by cost."""
    found = [_drawn(logs, laid, priced, pool, prompts) for pool in range(len(logs.pools))]
    pools = [pool for pool in found if pool is not None]
    return _worth_drawing(pools)


def _drawn(logs: Logs, laid: Source, priced: Prices, place: int, prompts: NDArray[np.integer[Any]]) -> Drawn | None:
    chains, unread = laid.chains[place], laid.chains[laid.unread(place)]
    start = chains.start[prompts]
    first = start[start >= 0]
    if not len(first):
        return None
    pool, columns, scored = logs.pools[place], laid.columns, chains.scored[prompts].any()
    return Drawn(
        generator=pool.generator,
        verifier=pool.verifier,
        settings=dict(pool.params),
        n_samples=_most_have(chains.n[prompts]),
        n_attempts=_most_have(chains.depth[prompts]),
        n_votes=_most_have(unread.n[prompts]),
        has_answers=bool((columns.answer[first] >= 0).any()),
        accuracy=float(columns.correct[first].mean()),
        cost=float((priced.draw[first] + priced.score[first]).mean()),
        thresholds=_thresholds(columns.score[first], columns.correct[first]) if scored else (),
    )


def _most_have(counts: NDArray[np.integer[Any]]) -> int:
    """Of prompts that have any."""
    return int(np.quantile(counts[counts > 0], 1 - MOST_PROMPTS, method="lower"))


def _thresholds(scores: Floats, correct: Floats) -> tuple[float, ...]:
    """Quantiles of the scores of right and of wrong samples: a verifier's scores crowd where it is sure."""
    values: list[float] = []
    for group, levels in (
        (scores[correct >= 0.5], RIGHT_QUANTILES),
        (scores[correct < 0.5], WRONG_QUANTILES),
    ):
        if len(group):
            values.extend(np.quantile(group, levels, method="lower").tolist())
    distinct = sorted({round(float(np.clip(value, 0, 1)), 3) for value in values})
    return tuple(value for value in distinct if value > 0)


def _worth_drawing(pools: Sequence[Drawn]) -> list[Drawn]:
    """Where there are many, keep those that are least behind the best pool of no greater cost."""
    pools = sorted(pools, key=lambda pool: (pool.cost, -pool.accuracy))
    if len(pools) <= MOST_POOLS:
        return pools
    best = np.maximum.accumulate([pool.accuracy for pool in pools])
    gap = [float(top - pool.accuracy) for top, pool in zip(best, pools, strict=True)]
    keep = sorted(sorted(range(len(pools)), key=lambda i: (gap[i], pools[i].cost))[:MOST_POOLS])
    return [pools[i] for i in keep]
