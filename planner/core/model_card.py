from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planner.core.base import MAX_INTEGER, Frozen

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ModelCard(Frozen):
    """What is known of a model beside its outcomes; costs are derived from it."""

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["generator", "orm", "prm"] = "generator"
    active_params: Positive | None = None
    usd_per_million_prompt_tokens: NonNegative | None = None
    usd_per_million_completion_tokens: NonNegative | None = None
    tokens_per_second: Positive | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=MAX_INTEGER)] | None = None
    revision_context_attempts: Annotated[int, Field(ge=0, le=MAX_INTEGER)] | None = None
