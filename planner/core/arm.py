from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from planner.core.base import Frozen
from planner.errors import InvalidInput

SEARCHES = ("sampling", "cascade", "beam_search", "lookahead", "rebase", "tree_of_thoughts", "mcts")
NO_OUTCOMES = ("rollouts",)
"""Searches in logs whose runs are no outcome of an arm: rollouts go on from the steps of a logged answer."""
SELECTIONS = ("first", "last", "majority_vote", "filter_vote", "weighted_vote", "best_of_n", "medoid")

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class ScoreStop(Frozen):
    """Stop once a candidate's verifier score is at least `threshold`."""

    rule: Literal["score"] = "score"
    threshold: Share


class BetaVoteStop(Frozen):
    """Stop once the two largest groups of a vote differ enough (Adaptive-Consistency)."""

    rule: Literal["beta_vote"] = "beta_vote"
    confidence: Share = 0.95


class AgreementStop(Frozen):
    """Stop once the top answer holds at least `share` of `min_samples` or more samples."""

    rule: Literal["agreement"] = "agreement"
    share: Share
    min_samples: Count = 2


Stop = Annotated[ScoreStop | BetaVoteStop | AgreementStop, Field(discriminator="rule")]


class Stage(Frozen):
    """One stage of a cascade: draws of one generator until the stop rule holds or `max_samples` are drawn."""

    generator: str
    verifier: str | None = None
    draw: Literal["samples", "attempts"] = "samples"
    batch: Count = 1
    max_samples: Count = 1
    stop: Stop | None = None


class Arm(Frozen):
    """One way to answer a prompt: generator, verifier, search, selection and parameters.

    A larger generator is an arm like any other, and so is a `cascade`, whose stages stand in `params`.
    """

    generator: Annotated[str, Field(min_length=1)]
    verifier: str | None = None
    search: Annotated[str, Field(min_length=1)] = "sampling"
    selection: Annotated[str, Field(min_length=1)] = "first"
    breadth: Count = 1
    depth: Count = 1
    params: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Canonical JSON text: equal arms have equal keys."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Stages of a cascade; raises InvalidInput where `params.stages` cannot be read."""
        try:
            return tuple(Stage.model_validate(stage) for stage in self.params["stages"])
        except (KeyError, TypeError, ValidationError) as error:
            raise InvalidInput(f"params.stages of a cascade cannot be read: {error}") from error

    @cached_property
    def generators(self) -> tuple[str, ...]:
        """Every generator that the arm may call, the first first."""
        if self.search != "cascade":
            return (self.generator,)
        return tuple(dict.fromkeys(stage.generator for stage in self.stages))

    @cached_property
    def label(self) -> str:
        """Short name for tables and reasons.

        >>> Arm(generator="small", verifier="prm", selection="weighted_vote", breadth=16).label
        'small weighted_vote 16'
        >>> Arm(generator="small", selection="weighted_vote", breadth=16, params={"step_score": "min"}).label
        'small weighted_vote 16 (step_score=min)'
        >>> first = {"generator": "small", "max_samples": 8, "stop": {"rule": "score", "threshold": 0.8}}
        >>> params = {"stages": [first, {"generator": "large"}]}
        >>> Arm(generator="small", search="cascade", selection="best_of_n", params=params).label
        'small <=8 until score 0.8 > large, best_of_n'
        >>> params = {"stages": [first | {"batch": 4}]}
        >>> Arm(generator="small", search="cascade", selection="best_of_n", params=params).label
        'small <=8 (4 at a time) until score 0.8, best_of_n'
        """
        if self.search == "cascade":
            stages = (f"{drawn}{_at_a_time(stage)}{_until(stage.stop)}" for stage, drawn in self._drawn)
            return " > ".join(stages) + f", {self.selection}{_in_words(self.params)}"
        size = f"{self.breadth}x{self.depth}" if self.depth > 1 else f"{self.breadth}"
        if self.search == "sampling":
            drawn = f"{self.generator}, one sample" if size == "1" else f"{self.generator} {self.selection} {size}"
            return drawn + _in_words(self.params)
        return f"{self.generator} {self.search} {size}{_in_words(self.params)}, {self.selection}"

    @property
    def _drawn(self) -> Iterator[tuple[Stage, str]]:
        """Each stage of a cascade, and what it draws in words, with its pool's settings where any stage has some."""
        told = self.params.get("settings")
        settings = told if isinstance(told, list) else []
        for stage, own in zip_longest(self.stages, settings[: len(self.stages)]):
            attempts = " attempts" if stage.draw == "attempts" else ""
            most = f" <={stage.max_samples}{attempts}" if stage.max_samples > 1 else ""
            yield stage, stage.generator + _in_words(own) + most

    @cached_property
    def shape(self) -> str:
        """The label without what cascades of one kind differ in: the thresholds of stop rules, and their batches."""
        if self.search != "cascade":
            return self.label
        stages = (drawn + (_RULES[stage.stop.rule] if stage.stop else "") for stage, drawn in self._drawn)
        return " > ".join(stages) + f", {self.selection}{_in_words(self.params)}"


def _in_words(params: object) -> str:
    """Parameters that are no list and no object, in parentheses: two arms may differ in nothing else."""
    members = params.items() if isinstance(params, dict) else ()
    plain = ", ".join(f"{name}={value}" for name, value in members if isinstance(value, int | float | str))
    return f" ({plain})" if plain else ""


def _at_a_time(stage: Stage) -> str:
    """How often the stop rule is tried, which moves accuracy and cost; told where it is not after every draw."""
    return f" ({stage.batch} at a time)" if stage.stop and stage.batch > 1 else ""


def _until(stop: Stop | None) -> str:
    match stop:
        case ScoreStop(threshold=threshold):
            return f" until score {threshold:g}"
        case BetaVoteStop(confidence=confidence):
            return f" until vote sure at {confidence:g}"
        case AgreementStop(share=share, min_samples=least):
            return f" until {share:g} of {least}+ agree"
    return ""


_RULES = {"score": " until a score", "beta_vote": " until a vote is sure", "agreement": " until enough agree"}
