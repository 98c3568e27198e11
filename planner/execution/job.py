"""One prompt to be answered as planned, with all that its run has to know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.core import Arm, Budget, Message, Recommendation
from planner.errors import InvalidInput
from planner.execution.driver import Searching
from planner.formats import values
from planner.strategies.carrying_out import carry_out
from planner.strategies.selections import selection_of
from planner.strategies.task import Task


@dataclass(frozen=True)
class Job:
    """A plan with its prompt.

    text: the prompt as logged; `messages` as sent. budget: its ceilings are kept; None takes those of the plan.
    search: what is carried out instead of the plan's arm, made from the task.
    extract, grade: names for this run; None leaves them to the prompt's metadata, the data set and the defaults.
    seed: None draws one.
    """

    plan: Recommendation
    text: str
    messages: tuple[Message, ...]
    dataset: str | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget | None = None
    search: Callable[[Task], Searching] | None = None
    extract: str | None = None
    grade: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidInput, naming the field, for what no store can keep: the run would be paid for and lost."""
        check_prompt(self.text, self.plan.prompt_id, self.dataset, self.reference, self.metadata)

    @property
    def ceilings(self) -> Budget:
        """What the meter keeps."""
        return self.budget or self.plan.budget or Budget()

    def searching(self, task: Task) -> Searching:
        """What is to be carried out."""
        return carry_out(self.plan.arm, task) if self.search is None else self.search(task)

    @property
    def completion_tokens(self) -> float | None:
        """Of one answer, as forecast."""
        cost = self.plan.forecast.cost
        if not cost.completion_tokens or not cost.generations:
            return None
        return cost.completion_tokens / cost.generations


def check_prompt(
    text: str, prompt_id: str, dataset: str | None, reference: str | None, metadata: Mapping[str, Any]
) -> None:
    """Raise InvalidInput, naming the field, for a prompt of which something could not be stored."""
    if "\0" in text:
        raise InvalidInput("the prompt holds a NUL character: remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the prompt is no valid UTF-8: {error}") from error
    check_kept("prompt_id", prompt_id)
    check_kept("dataset", dataset)
    check_kept("reference", reference)
    check_kept("metadata", dict(metadata))


def check_kept(field: str, value: object) -> None:
    """Raise InvalidInput, naming the field, for what is no JSON, or holds a text that no store can keep."""
    if value is None or isinstance(value, int):  # nothing about them could be wrong; most of a request is such
        return
    try:
        values.mapping(field, {"": value})
        json.dumps(value)
    except TypeError as error:
        raise InvalidInput(f"{field}: holds what is no JSON ({error}): make it a number, a text or a list") from None
    except values.Wrong as wrong:
        raise InvalidInput(f"{wrong}, expected {wrong.expected}") from None
    except RecursionError:
        raise InvalidInput(f"{field}: is nested too deeply, make it flatter") from None


def verified_by(arm: Arm) -> dict[str, str]:
    """Which verifier scores a generator's completions when the arm is carried out."""
    if arm.search == "cascade":
        return {stage.generator: stage.verifier for stage in arm.stages if stage.verifier is not None}
    if arm.verifier is None or (arm.search == "sampling" and not selection_of(arm.selection).needs_scores):
        return {}
    return {arm.generator: arm.verifier}


def seed_of(run_id: str) -> int:
    """A seed that no other run has."""
    return int.from_bytes(hashlib.blake2b(run_id.encode(), digest_size=4).digest(), "little") >> 1
