from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, WithJsonSchema, model_validator

from planner.core.base import MAX_INTEGER, Frozen

_NUMBERS = (int, float)  # a union would be made anew for every run


def _no_number(value: object) -> object:
    if isinstance(value, _NUMBERS):
        raise ValueError("an ISO 8601 time with its zone is expected, such as 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic's own
    return value


_SHARE_OR_VERDICT = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "boolean"}]}
Correct = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), WithJsonSchema(_SHARE_OR_VERDICT)]
Score = Annotated[float, Field(strict=True, allow_inf_nan=False)]
TokenCount = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER)]
Place = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER)]
Size = Annotated[int, Field(strict=True, ge=1, le=MAX_INTEGER)]
Name = Annotated[str, Field(min_length=1)]
Moment = Annotated[AwareDatetime, BeforeValidator(_no_number)]
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Status = Literal["ok", "truncated", "error"]


class Sample(Frozen):
    """One finished candidate of a run, at its place in chain and attempt."""

    chain: Place = 0
    attempt: Place = 0
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
    stage: Place | None = None


class Run(Frozen):
    """One search, by one generator, on one prompt: a line of the planner's own log."""

    run_id: str | None = None
    prompt_id: str | None = None
    prompt: str | None = None
    dataset: str | None = None
    reference: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    generator: Name
    verifier: str | None = None
    search: Name = "sampling"
    selection: Name | None = None
    breadth: Size = 1
    depth: Size = 1
    params: dict[str, Any] = Field(default_factory=dict)
    answer: str | None = None
    correct: Correct | None = None
    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    verifier_calls: TokenCount | None = None
    verifier_tokens: TokenCount | None = None
    usd: Amount | None = None
    latency_seconds: Amount | None = None
    status: Status = "ok"
    recommendation_id: str | None = None
    propensity: Annotated[float, Field(strict=True, gt=0, le=1)] | None = None
    started_at: Moment | None = None
    samples: tuple[Sample, ...] = ()


class Probe(Frozen):
    """One sample already drawn for a prompt: what is known of it sharpens the difficulty posterior.

    Null is unknown: without its answer a sample tells by its score alone. The empty answer says that it gave none.
    `score` is in 0..1, as an import keeps it.
    """

    answer: str | None = None
    score: Annotated[Score, Field(ge=0, le=1)] | None = None
    correct: Correct | None = None
    generator: str | None = None
    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.answer is None and self.score is None and self.correct is None:
            raise ValueError("a probe says nothing without an answer, a score or correct: give one, or leave it out")
        return self
