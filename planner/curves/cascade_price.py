"""One price a sample, to rank cascades by cost while a grid is screened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.core import Unit
from planner.curves.cascade_draws import Source
from planner.curves.costs import rates
from planner.curves.logs import Floats, Logs
from planner.curves.usage import generations_a_sample, pool_slots

UNITS_TO_RANK_BY: tuple[Unit, ...] = ("flops", "usd", "tokens")


@dataclass(frozen=True)
class Prices:
    """Cost of drawing each sample and of scoring it, (samples,), in `unit`."""

    unit: Unit
    draw: Floats
    score: Floats


def prices(logs: Logs, laid: Source) -> Prices:
    """Prices in the first unit that is known for all generators: FLOPs, USD, tokens; else generations.

    Prompt tokens that nobody logged, and verifiers without a model card, are left out: this ranks, it is no
    forecast.
    """
    columns = laid.columns
    if not np.isnan(columns.completion_tokens).any():
        slots, pool = pool_slots(logs, range(len(logs.pools))), logs.samples.pool
        for unit in UNITS_TO_RANK_BY:
            rate = rates(slots, logs.models, unit)
            if np.isnan(rate.completion).any():
                continue
            draw = np.nan_to_num(rate.prompt)[pool] * np.nan_to_num(columns.prompt_tokens)
            draw += rate.completion[pool] * columns.completion_tokens
            score = np.nan_to_num(rate.verifier)[pool] * np.nan_to_num(columns.verifier_tokens)
            return Prices(unit, draw, score)
    each = [generations_a_sample(pool.generator, pool.verifier, logs.models) for pool in logs.pools]
    score = np.array(each, dtype=np.float32)[logs.samples.pool] - 1
    return Prices("generations", np.ones_like(score), score)
