"""From logged quantities and model cards to cost in every unit of budget (METHODS: FLOPs = 2 x parameters x tokens)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.core import ModelCard, Unit
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable, Slots, Usage


@dataclass(frozen=True)
class Rates:
    """What one token of each kind costs in one unit; arrays of shape (slots,), NaN where a model card is silent."""

    generation: Floats
    prompt: Floats
    completion: Floats
    verifier: Floats

    def apply(self, usage: Usage) -> Floats:
        """Cost by (prompts, slots). A kind of token that costs nothing may be unknown."""
        total = np.zeros(usage.generations.shape, dtype=np.float32)
        for rate, amount in (
            (self.generation, usage.generations),
            (self.prompt, usage.prompt_tokens),
            (self.completion, usage.completion_tokens),
            (self.verifier, usage.verifier_tokens),
        ):
            total += np.where(rate == 0, np.float32(0), rate * amount)
        return total


def rates(slots: Slots, models: Mapping[str, ModelCard], unit: Unit) -> Rates:
    """Rates of each slot in `unit`; latency has no rate a token (it depends on what runs side by side)."""
    zero, one = np.zeros(len(slots), np.float32), np.ones(len(slots), np.float32)
    verified = np.array([verifier is not None for verifier in slots.verifier])

    def card(names: tuple[str | None, ...], field: str, factor: float) -> Floats:
        values = [getattr(models.get(name or ""), field, None) for name in names]
        return np.array([np.nan if value is None else value * factor for value in values], dtype=np.float32)

    match unit:
        case "generations":
            return Rates(one, zero, zero, zero)
        case "tokens":
            return Rates(zero, one, one, verified.astype(np.float32))
        case "flops":
            generator = card(slots.generator, "active_params", 2.0)
            return Rates(zero, generator, generator, np.where(verified, card(slots.verifier, "active_params", 2.0), 0))
        case "usd":
            prompt = card(slots.generator, "usd_per_million_prompt_tokens", 1e-6)
            completion = card(slots.generator, "usd_per_million_completion_tokens", 1e-6)
            read = card(slots.verifier, "usd_per_million_prompt_tokens", 1e-6)
            wrote = np.where(slots.written > 0, card(slots.verifier, "usd_per_million_completion_tokens", 1e-6), 0)
            verifier = (1 - slots.written) * read + slots.written * wrote
            return Rates(zero, prompt, completion, np.where(verified, verifier, 0).astype(np.float32))
        case "latency_seconds":
            raise ValueError("latency is not a sum over tokens: see OutcomeTable.latency_seconds")


def sum_slots(by_slot: Floats, slots: Slots, n_arms: int) -> Floats:
    """From (prompts, slots) to (prompts, arms); NaN where any slot of an arm is."""
    total = np.zeros((by_slot.shape[0], n_arms), dtype=np.float32)
    np.add.at(total.T, slots.arm, by_slot.T)
    return total


def logged_cost(table: OutcomeTable, unit: Unit, *, worst: bool = False) -> Floats:
    """Cost of every (prompt, arm) in `unit` as logged, (prompts, arms); NaN where unknown."""
    if unit == "latency_seconds":
        return table.latency_worst_seconds if worst else table.latency_seconds
    usage = table.worst if worst else table.expected
    return sum_slots(rates(table.slots, table.models, unit).apply(usage), table.slots, len(table.arms))
