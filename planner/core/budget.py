from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from planner.core.base import Frozen

Unit = Literal["generations", "tokens", "flops", "usd", "latency_seconds"]
UNITS: tuple[Unit, ...] = ("generations", "tokens", "flops", "usd", "latency_seconds")

_MEANS = tuple(f"mean_{unit}" for unit in UNITS[:-1])
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Budget(Frozen):
    """What may be spent: ceilings of one prompt, and at most one average over traffic.

    Ceilings are held against an arm's worst case, the average against its expected cost.
    """

    max_generations: Positive | None = None
    max_tokens: Positive | None = None
    max_flops: Positive | None = None
    max_usd: Positive | None = None
    max_latency_seconds: Positive | None = None
    mean_generations: Positive | None = None
    mean_tokens: Positive | None = None
    mean_flops: Positive | None = None
    mean_usd: Positive | None = None

    @model_validator(mode="after")
    def _at_most_one_mean(self) -> Self:
        means = [name for name in _MEANS if getattr(self, name) is not None]
        if len(means) > 1:
            raise ValueError(f"at most one average over traffic can be kept, got {', '.join(means)}")
        return self

    @cached_property
    def ceilings(self) -> Mapping[Unit, float]:
        """Ceilings that are set, by unit, in the order of `UNITS`."""
        values = ((unit, getattr(self, f"max_{unit}")) for unit in UNITS)
        return {unit: value for unit, value in values if value is not None}

    @cached_property
    def mean(self) -> tuple[Unit, float] | None:
        """Unit and value of the average over traffic, if one is set."""
        for unit in UNITS[:-1]:
            value = getattr(self, f"mean_{unit}")
            if value is not None:
                return unit, value
        return None

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is limited."""
        return not self.ceilings and self.mean is None


class Cost(Frozen):
    """What one prompt costs. `None` is unknown, never 0."""

    generations: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    verifier_tokens: float | None = None
    flops: float | None = None
    usd: float | None = None
    latency_seconds: float | None = None

    @property
    def tokens(self) -> float | None:
        """Prompt, completion and verifier tokens together."""
        parts = (self.prompt_tokens, self.completion_tokens, self.verifier_tokens)
        return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)

    def in_unit(self, unit: Unit) -> float | None:
        """The cost in one unit of budget."""
        value: float | None = getattr(self, unit)
        return value

    def fits(self, budget: Budget) -> bool:
        """Whether every ceiling holds; a cost that is unknown in a unit with a ceiling does not fit."""
        return all(
            (spent := self.in_unit(unit)) is not None and spent <= ceiling for unit, ceiling in budget.ceilings.items()
        )
