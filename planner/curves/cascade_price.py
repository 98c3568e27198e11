"""One price a sample, to rank cascades by cost while a grid is screened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.core import ModelCard, Unit
from planner.curves.cascade_draws import Source
from planner.curves.logs import Floats, Logs
from planner.curves.usage import generations_a_sample

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
        for unit in UNITS_TO_RANK_BY:
            rates = [_rates(logs.models, pool.generator, pool.verifier, unit) for pool in logs.pools]
            prompt, completion, verifier = np.array(rates, dtype=np.float32).reshape(-1, 3).T
            if np.isnan(completion).any():
                continue
            pool = logs.samples.pool
            draw = np.nan_to_num(prompt)[pool] * np.nan_to_num(columns.prompt_tokens)
            draw += completion[pool] * columns.completion_tokens
            score = np.nan_to_num(verifier)[pool] * np.nan_to_num(columns.verifier_tokens)
            return Prices(unit, draw, score)
    each = [generations_a_sample(pool.generator, pool.verifier, logs.models) for pool in logs.pools]
    score = np.array(each, dtype=np.float32)[logs.samples.pool] - 1
    return Prices("generations", np.ones_like(score), score)


def _rates(
    models: Mapping[str, ModelCard], generator: str, verifier: str | None, unit: Unit
) -> tuple[float, float, float]:
    """Cost of one prompt, completion and verifier token; NaN where a card is silent."""
    one, other = models.get(generator), models.get(verifier or "")

    def field(card: ModelCard | None, name: str, factor: float) -> float:
        value = getattr(card, name, None)
        return float("nan") if value is None else float(value) * factor

    match unit:
        case "flops":
            parameters = field(one, "active_params", 2.0)
            return parameters, parameters, field(other, "active_params", 2.0)
        case "usd":
            return (
                field(one, "usd_per_million_prompt_tokens", 1e-6),
                field(one, "usd_per_million_completion_tokens", 1e-6),
                field(other, "usd_per_million_prompt_tokens", 1e-6),
            )
    return 1.0, 1.0, 1.0
