from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from planner.core.base import Frozen

Correct = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Score = Annotated[float, Field(allow_inf_nan=False)]
TokenCount = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Status = Literal["ok", "truncated", "error"]


class Sample(Frozen):
    """One finished candidate of a run, at its place in chain and attempt."""

    chain: Annotated[int, Field(ge=0)] = 0
    attempt: Annotated[int, Field(ge=0)] = 0
    answer: str | None = None
    correct: Correct | None = None
    score: Score | None = None
    score_min: Score | None = None
    step_scores: tuple[Score, ...] | None = None
    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    verifier_tokens: TokenCount | None = None
    latency_seconds: Amount | None = None
    status: Status = "ok"
    text: str | None = None
    generator: str | None = None
    verifier: str | None = None
    stage: Annotated[int, Field(ge=0)] | None = None


class Run(Frozen):
    """One search, by one generator, on one prompt: a line of the planner's own log."""

    run_id: str | None = None
    prompt_id: str | None = None
    prompt: str | None = None
    dataset: str | None = None
    reference: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    generator: Annotated[str, Field(min_length=1)]
    verifier: str | None = None
    search: Annotated[str, Field(min_length=1)] = "sampling"
    selection: Annotated[str, Field(min_length=1)] | None = None
    breadth: Annotated[int, Field(ge=1)] = 1
    depth: Annotated[int, Field(ge=1)] = 1
    params: dict[str, Any] = Field(default_factory=dict)
    answer: str | None = None
    correct: Correct | None = None
    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    verifier_calls: Annotated[int, Field(ge=0)] | None = None
    verifier_tokens: TokenCount | None = None
    usd: Amount | None = None
    latency_seconds: Amount | None = None
    status: Status = "ok"
    recommendation_id: str | None = None
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    started_at: AwareDatetime | None = None
    samples: tuple[Sample, ...] = ()


class Probe(Frozen):
    """One sample already drawn for a prompt: what is known of it sharpens the difficulty posterior."""

    answer: str | None = None
    score: Score | None = None
    correct: Correct | None = None
    generator: str | None = None
    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
