"""Bodies of requests, as the API's documentation shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from planner.core import Arm, Budget, Probe, Recommendation
from planner.core.run import Correct, Moment
from planner.service.logged_run import LoggedRun

Chat = list[dict[str, Any]]
Name = Annotated[str, Field(min_length=1, max_length=1000)]


_QUESTION = "Start with 11. Multiply by 5. How many now?"
_ONE: dict[str, Any] = {"prompt": _QUESTION, "budget": {"max_generations": 8}}
_MANY: dict[str, Any] = {"prompts": [_QUESTION, "Start with 3. Add 4. How many now?"], "total": {"max_tokens": 4000}}
RUN: dict[str, Any] = {
    "prompt": _QUESTION, "generator": "lab-small", "selection": "majority_vote", "breadth": 2, "answer": "55",
    "correct": 1, "samples": [{"answer": "55", "completion_tokens": 12}, {"answer": "55", "completion_tokens": 14}],
}  # fmt: skip


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PromptBody(_Body):
    """A prompt, text or chat messages, and what is known of it."""

    prompt: str | Chat
    prompt_id: Name | None = None
    dataset: Name | None = None
    metadata: dict[str, Any] | None = None
    probes: tuple[Probe, ...] | None = None


class RecommendationRequest(_Body):
    """Which arm one prompt (`prompt`), or each of many (`prompts`), is best answered by.

    `budget` limits each prompt; `total` (many prompts; one ceiling) is spent over all of them where it pays.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ONE, _MANY]})

    prompt: str | Chat | None = None
    prompt_id: Name | None = None
    dataset: Name | None = None
    metadata: dict[str, Any] | None = None
    probes: tuple[Probe, ...] | None = None
    prompts: list[PromptBody | str] | None = Field(default=None, min_length=1)
    budget: Budget | None = None
    total: Budget | None = None
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    arm: Arm | None = None
    generators: tuple[Name, ...] | None = None
    searches: tuple[Name, ...] | None = None
    selections: tuple[Name, ...] | None = None
    seed: Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)] | None = None

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        if (self.prompt is None) == (self.prompts is None):
            raise ValueError("give `prompt`, or `prompts`")
        if self.prompts is not None and (self.prompt_id or self.dataset or self.metadata or self.probes):
            raise ValueError("with `prompts`, what is known of a prompt stands beside it")
        if self.total is not None and self.prompts is None:
            raise ValueError("a `total` is for many `prompts`")
        return self


class Declined(BaseModel):
    """Why one prompt of many has no recommendation."""

    prompt_id: str | None
    error: str


class Recommendations(BaseModel):
    """One answer a prompt, in order."""

    recommendations: list[Recommendation | Declined]


class RunsBody(_Body):
    """Runs to be logged."""

    runs: list[LoggedRun] = Field(min_length=1)


def _one_or_many(body: object) -> str:
    many = isinstance(body, RunsBody) or (isinstance(body, Mapping) and "runs" in body)
    return "many" if many else "one"


LogRequest = Annotated[Annotated[LoggedRun, Tag("one")] | Annotated[RunsBody, Tag("many")], Discriminator(_one_or_many)]
"""One run, or many; told apart first, so that what is wrong is said of the one that was meant."""


class Logged(BaseModel):
    """What was written; `duplicates` were there already, and `grades` filled into them."""

    run_ids: list[str]
    runs: int
    samples: int
    duplicates: int
    grades: int


class GradeBody(_Body):
    """How far a run's answer is correct."""

    correct: Correct
    grader: Name = "api"


class FitBody(_Body):
    """What to fit from; nothing given fits from all that is logged."""

    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 0
    since: Moment | None = None
    datasets: list[Name] = Field(default_factory=list)
    exclude_datasets: list[Name] = Field(default_factory=list)
    exclude_generators: list[Name] = Field(default_factory=list)
    reference: Name | None = None
    metadata_features: list[Name] = Field(default_factory=list)
