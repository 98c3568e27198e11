"""A chat completion's request as the API's documentation shows it: OpenAI's, open, with the planner's own members."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from planner.core import Arm, Budget

Name = Annotated[str, Field(min_length=1, max_length=120)]
Names = Annotated[tuple[Name, ...], Field(max_length=100)]
# Numbers are not read from text, nor truth from numbers: what is passed through would reach the endpoint as it was.
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
Temperature = Annotated[float, Field(ge=0, le=2, strict=True)]
TokenLimit = Annotated[int, Field(ge=-1, le=2**31 - 1, strict=True)]
"""-1 is no limit, as servers of models on one's own machine have it."""
Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1, strict=True)]


class PlannerMember(BaseModel):
    """What a request may say to the planner: fields of a budget, and how to plan.

    adapt: plan anew as answers come in (if it is not false). arm: carry out this one. reference: the right answer, so
    that the run is graded. extract, grade: how answers are read and graded.

    Where an arm or a target_accuracy comes without a budget the server's holds (PLANNER_SERVICE_BUDGET), whose average
    ends no run; where that is not set either, what is spent is bounded by the arm alone.
    """

    model_config = ConfigDict(extra="forbid")

    max_generations: Amount | None = None
    max_tokens: Amount | None = None
    max_flops: Amount | None = None
    max_usd: Amount | None = None
    max_latency_seconds: Amount | None = None
    mean_generations: Amount | None = None
    mean_tokens: Amount | None = None
    mean_flops: Amount | None = None
    mean_usd: Amount | None = None
    target_accuracy: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    adapt: StrictBool | None = None
    arm: Arm | None = None
    generators: Names | None = None
    searches: Names | None = None
    selections: Names | None = None
    prompt_id: Name | None = None
    dataset: Name | None = None
    reference: Annotated[str, Field(max_length=100_000)] | None = None
    metadata: dict[str, Any] | None = None
    # Of those that the planner knows only what is safe to be named by whoever asks: no pattern, function or command.
    extract: Literal["auto", "answer_line", "last_number", "boxed", "choice", "text", "raw"] | None = None
    grade: Literal["exact", "numeric", "choice"] | None = None

    @property
    def budget(self) -> Budget | None:
        """The budget's fields; None where none is given. Raises a ValueError where they exclude each other."""
        given = {name: getattr(self, name) for name in Budget.model_fields if getattr(self, name) is not None}
        return Budget(**given) if given else None


class ChatMessage(BaseModel):
    """One message, kept whole."""

    model_config = ConfigDict(extra="allow")

    role: Annotated[str, Field(min_length=1)]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    model_config = ConfigDict(extra="allow")

    include_usage: StrictBool | None = None


_EXAMPLE: dict[str, Any] = {
    "model": "auto",
    "messages": [{"role": "user", "content": "Start with 11. Multiply by 5. How many now?"}],
    "planner": {"max_generations": 4},
}


class ChatBody(BaseModel):
    """OpenAI's request; what is not named here is passed on or, for a planned answer, named in `planner.ignored`.

    model: `auto` (planned), `auto-GENERATOR` (planned with that one alone), a model's name (passed on as it is), or one
    of these after `bon-`, `self_consistency-` or `mcts-` (that strategy). budget: most generations.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_EXAMPLE, _EXAMPLE | {"stream": True}]})

    model: Annotated[str, Field(min_length=1, max_length=300)]
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1024, strict=True)] | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    temperature: Temperature | None = None
    stop: str | list[str] | None = None
    seed: Seed | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    logprobs: StrictBool | None = None
    planner: PlannerMember | None = None
    budget: Amount | None = None
    optillm_approach: str | None = None
