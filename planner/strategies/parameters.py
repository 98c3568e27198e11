"""What an arm's `params` may say: how to speak to the generator, and how to choose among candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, ValidationError, model_validator

from planner.core import Arm
from planner.core.base import Frozen
from planner.errors import InvalidInput

VERDICT = 0.5
"""A score of this or more is a positive verdict (METHODS 1)."""
LEFT_TO_THE_SERVER = frozenset(
    {
        "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "reasoning_effort",
        "verbosity",
    }
)  # fmt: skip
"""Settings that logs tell of and no request of a search bears: the server's own hold, or those of `Conventions`."""


class Settings(Frozen):
    """Settings of the pool that an arm was learned from; None leaves them to the task's conventions."""

    temperature: Annotated[float, Field(ge=0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, said: Any) -> Any:  # noqa: ANN401 - as pydantic hands it over
        """None says nothing; a pool whose runs were logged with `settings` has that member among its own."""
        if isinstance(said, Mapping) and isinstance(said.get("settings"), Mapping):
            said = {**said["settings"], **{name: value for name, value in said.items() if name != "settings"}}
        if not isinstance(said, Mapping):
            return {} if said is None else said
        return {name: value for name, value in said.items() if name not in LEFT_TO_THE_SERVER}


class Choosing(Frozen):
    """How the answer is chosen; every search's parameters hold these.

    aggregate: the score of a candidate whose steps are scored: its last step's, the least or the product of all
    (logs call it `step_score`). threshold: least score that filter_vote keeps. answer_from: the answer is chosen
    among all candidates, or among those of the last stage that drew any.
    """

    aggregate: Annotated[
        Literal["last", "min", "product"], Field(validation_alias=AliasChoices("aggregate", "step_score"))
    ] = "last"
    threshold: Annotated[float, Field(ge=0, le=1)] = VERDICT
    answer_from: Literal["all", "last_stage"] = "all"

    @classmethod
    def of(cls, arm: Arm) -> Self:
        """The parameters of an arm; raises InvalidInput that names what may be said."""
        try:
            return cls.model_validate(arm.params)
        except ValidationError as error:
            raise InvalidInput(
                f"params of {arm.search!r} cannot be carried out: {_problems(error)}; known are "
                f"{', '.join(cls.model_fields)}, of settings {', '.join(Settings.model_fields)}"
            ) from error


class Parameters(Choosing):
    """Parameters of a search by one generator; a search with its own derives from these."""

    settings: Settings = Settings()


def _problems(error: ValidationError) -> str:
    said = [(".".join(map(str, one["loc"])), one["type"], one["msg"]) for one in error.errors()]
    return "; ".join(
        f"{name} is not known" if kind == "extra_forbidden" else f"{name}: {text}" for name, kind, text in said
    )
