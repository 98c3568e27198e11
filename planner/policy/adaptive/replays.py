"""Logged pools laid out for replaying sessions: random orders of drawing, and what every draw gave and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.core import ModelCard, Unit
from planner.curves.cascade_draws import Source, draw_orders
from planner.curves.costs import rates
from planner.curves.logs import Floats, Logs
from planner.curves.table import Slots
from planner.curves.usage import generations_a_sample, pool_slots
from planner.policy.adaptive.answers import Drawn
from planner.policy.adaptive.draws import Drawable, Node, Slot, slots, slots_of

UNITS: tuple[Unit, ...] = ("generations", "tokens", "flops", "usd")


@dataclass(frozen=True)
class Replays:
    """N replays of all that a session may draw; those of one prompt stand together.

    slots: the S places of draws. drawn: their answers (coded by the first slot that gave the same one) and scores.
    right: (N, S) grade of the answer of each slot. cost: by unit (N, S), units that are known for every draw.
    prompt: (N,) rows of the logs' prompts. use: (4, S) ones, and mean prompt, completion and verifier tokens.
    """

    pools: tuple[Drawable, ...]
    slots: tuple[Slot, ...]
    prompt: NDArray[np.intp]
    drawn: Drawn
    right: Floats
    cost: Mapping[Unit, Floats]
    use: Floats

    def __len__(self) -> int:
        return len(self.prompt)

    def columns(self, node: Node) -> list[int]:
        """Slots that a node holds."""
        place = {slot: column for column, slot in enumerate(self.slots)}
        return [place[slot] for slot in slots_of(node)]

    def state(self, columns: Sequence[int]) -> Drawn:
        """What is seen when these slots are drawn."""
        d = self.drawn
        return replace(
            d,
            answer=d.answer[:, columns],
            score=d.score[:, columns],
            score_min=d.score_min[:, columns],
            pool=d.pool[columns],
            revised=d.revised[columns],
        )

    def take(self, rows: NDArray[Any]) -> Replays:
        """Some of the replays, by index or mask."""
        d = self.drawn
        drawn = replace(d, answer=d.answer[rows], score=d.score[rows], score_min=d.score_min[rows])
        return replace(
            self,
            prompt=self.prompt[rows],
            drawn=drawn,
            right=self.right[rows],
            cost={unit: values[rows] for unit, values in self.cost.items()},
        )


def replayable(laid: Source, places: Sequence[int], pools: Sequence[Drawable]) -> NDArray[np.bool_]:
    """(P,) prompts on which all that these pools (at `places` of the logs) allow was logged."""
    enough = np.ones(len(laid.chains[0].n), dtype=np.bool_)
    for place, pool in zip(places, pools, strict=True):
        chains = laid.chains[place]
        enough &= (chains.n >= pool.most_chains) & (chains.depth >= pool.most_attempts) & chains.answered
        if pool.verifier is not None:
            enough &= chains.scored
    return enough


def replay_pools(
    logs: Logs,
    laid: Source,
    places: Sequence[int],
    pools: Sequence[Drawable],
    prompts: NDArray[np.intp],
    *,
    n_orders: int,
    seed: int,
) -> Replays:
    """`n_orders` balanced random orders of drawing a prompt; `prompts` must be `replayable`."""
    rng = np.random.default_rng([seed, 0x5E])
    most = max(pool.most_chains for pool in pools)
    orders = draw_orders([laid.chains[place] for place in places], prompts, n_orders=n_orders, n_draws=most, rng=rng)
    where = slots(pools)
    columns = []
    for slot in where:
        start = laid.chains[places[slot.pool]].start[prompts]
        first = np.take_along_axis(start, orders.by_pool[slot.pool][:, :, slot.chain], axis=1)
        columns.append((first + slot.attempt).ravel())
    rows = np.stack(columns, axis=1)
    answer = laid.columns.answer[rows]
    same = answer[:, :, None] == answer[:, None, :]
    drawn = Drawn(
        answer=np.where(answer >= 0, same.argmax(axis=2), -1),
        score=logs.samples.score[rows],
        score_min=logs.samples.score_min[rows],
        pool=np.array([slot.pool for slot in where], dtype=np.intp),
        revised=np.array([slot.attempt > 0 for slot in where], dtype=np.bool_),
        n_answers=len(where),
    )
    unscored = np.array([pools[slot.pool].verifier is None for slot in where])
    drawn.score[:, unscored] = np.nan
    drawn.score_min[:, unscored] = np.nan
    used = tokens_of(laid, rows)
    costs = pool_rates(logs, laid, places, pools)
    at = np.array([slot.pool for slot in where])
    return Replays(
        tuple(pools),
        tuple(where),
        np.repeat(prompts, n_orders),
        drawn,
        laid.columns.vote_correct[rows],
        {unit: np.einsum("ks,kns->ns", by_pool[:, at], used) for unit, by_pool in costs.items()},
        used.mean(axis=1),
    )


def pool_rates(logs: Logs, laid: Source, places: Sequence[int], pools: Sequence[Drawable]) -> dict[Unit, Floats]:
    """Rates (4, K) of a draw and of a prompt, completion and verifier token of it, in every unit known for all K."""
    of = pool_slots(logs, places, [pool.verifier for pool in pools])
    found = {unit: _stacked(of, logs.models, unit) for unit in UNITS}
    found["generations"][0] = [generations_a_sample(pool.generator, pool.verifier, logs.models) for pool in pools]
    counted = laid.columns
    if np.isnan(counted.prompt_tokens).any() or np.isnan(counted.completion_tokens).any():
        return {"generations": found["generations"]}
    return {unit: table for unit, table in found.items() if np.isfinite(table).all()}


def _stacked(of: Slots, models: Mapping[str, ModelCard], unit: Unit) -> Floats:
    r = rates(of, models, unit)
    return np.stack([r.generation, r.prompt, r.completion, r.verifier])


def tokens_of(laid: Source, rows: NDArray[Any]) -> Floats:
    """(4, N, S) ones, and prompt, completion and verifier tokens of the samples at `rows` (N, S)."""
    c = laid.columns
    parts = (c.prompt_tokens[rows], c.completion_tokens[rows], c.verifier_tokens[rows])
    return np.stack([np.ones(rows.shape, np.float32), *(np.nan_to_num(part) for part in parts)])
