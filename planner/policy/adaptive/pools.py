"""Which pools a session draws from, and how many draws of each its plans may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.curves.cascade_draws import Source
from planner.curves.cascade_pools import Drawn, drawn_pools
from planner.curves.cascade_price import prices
from planner.curves.logs import Logs
from planner.policy.adaptive.draws import Drawable
from planner.strategies.parameters import Settings

MOST_POOLS = 3
WELL_LOGGED = 0.5
"""A pool on fewer prompts than this share of those of the best logged would leave too few to learn from."""
MOST_ATTEMPTS = 4
MOST_CHAINS = {1: (32,), 2: (12, 3), 3: (3, 2, 2)}
"""Of pools without revisions, the cheapest first, by number of pools: a lattice of some dozens of nodes."""
BESIDE_REVISIONS = {1: (1,), 2: (2, 2), 3: (1, 2, 2)}
"""The same where one of them revises: an attempt more is then mostly better than a sample more."""


@dataclass(frozen=True)
class Places:
    """Pools of a session, and the place of each among the logs' pools."""

    pools: tuple[Drawable, ...]
    places: tuple[int, ...]


def choose_pools(logs: Logs, laid: Source, prompts: NDArray[np.intp]) -> Places | None:
    """The cheapest pool, the best one, and of the others that which is least behind cheaper ones; None without any.

    Looks at `prompts` alone. Pools with settings that no request can ask for are left out.
    """
    found = drawn_pools(logs, laid, prices(logs, laid), prompts)
    n_prompts = {id(pool): int((laid.chains[_place(logs, pool)].n[prompts] > 0).sum()) for pool in found}
    least = WELL_LOGGED * max(n_prompts.values(), default=0)
    usable = [pool for pool in found if pool.has_answers and set(pool.settings) <= set(Settings.model_fields)]
    chosen = _varied([pool for pool in usable if n_prompts[id(pool)] >= least])
    if not chosen or (len(chosen) == 1 and chosen[0].n_samples < 2):
        return None
    revising = any(pool.n_attempts > 1 for pool in chosen)
    caps = (BESIDE_REVISIONS if revising else MOST_CHAINS)[len(chosen)]
    pools = [_drawable(pool, cap) for pool, cap in zip(chosen, caps, strict=True)]
    return Places(tuple(pools), tuple(_place(logs, pool) for pool in chosen))


def _varied(pools: Sequence[Drawn]) -> list[Drawn]:
    """At most three, by cost."""
    pools = sorted(pools, key=lambda pool: (pool.cost, -pool.accuracy))
    if len(pools) <= MOST_POOLS:
        return pools
    cheapest, best = pools[0], max(pools, key=lambda pool: (pool.accuracy, -pool.cost))
    gaps = {
        i: max(other.accuracy for other in pools[: i + 1]) - pool.accuracy
        for i, pool in enumerate(pools)
        if pool is not cheapest and pool is not best
    }
    middle = pools[min(gaps, key=lambda i: (gaps[i], i))]
    kept = [cheapest, best, middle]
    return [pool for pool in pools if any(pool is one for one in kept)]


def _drawable(pool: Drawn, cap: int) -> Drawable:
    revises = pool.n_attempts > 1
    return Drawable(
        pool.generator,
        pool.verifier if pool.thresholds else None,
        dict(pool.settings),
        most_chains=1 if revises else min(cap, pool.n_samples),
        most_attempts=min(MOST_ATTEMPTS, pool.n_attempts) if revises else 1,
    )


def _place(logs: Logs, drawn: Drawn) -> int:
    return next(
        place
        for place, pool in enumerate(logs.pools)
        if (pool.generator, pool.verifier, dict(pool.params)) == (drawn.generator, drawn.verifier, drawn.settings)
    )
