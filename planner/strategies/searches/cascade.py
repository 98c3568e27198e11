"""Stages that draw until their stop rule holds, and escalate where it does not (METHODS 5b)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Self

from pydantic import Field, model_validator

from planner.core import Arm, Generate, Sample, ScoreStop, Stage
from planner.curves.stop import should_stop
from planner.errors import InvalidInput
from planner.strategies.drawing import answers, as_sample, completions, judged
from planner.strategies.parameters import Choosing, Settings
from planner.strategies.pool import Pool, Replies, Requests, Search
from planner.strategies.registry import Strategy
from planner.strategies.selections import score_of, selection_of
from planner.strategies.task import Task


class CascadeParameters(Choosing):
    """`settings`: those of each stage's pool, in order; None where a stage has none of its own."""

    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    settings: tuple[Settings | None, ...] = ()

    @model_validator(mode="after")
    def _one_setting_a_stage(self) -> Self:
        if self.settings and len(self.settings) != len(self.stages):
            raise ValueError(f"settings are one a stage: {len(self.settings)} for {len(self.stages)} stages")
        return self

    def setting(self, stage: int) -> Settings | None:
        """Settings of one stage."""
        return self.settings[stage] if self.settings else None


def run(arm: Arm, task: Task, pool: Pool, parameters: CascadeParameters) -> Search:
    """Raises InvalidInput, at once, where the selection or a stop rule asks for scores that a stage does not give."""
    scored = selection_of(arm.selection).needs_scores
    for stage in parameters.stages:
        if stage.verifier is None and (scored or isinstance(stage.stop, ScoreStop)):
            asking = arm.selection if scored else "its stop rule"
            raise InvalidInput(f"stage {stage.generator!r} of a cascade needs a verifier: {asking} asks for scores")
    return _draw(task, pool, parameters)


def _draw(task: Task, pool: Pool, parameters: CascadeParameters) -> Search:
    """Stage by stage, batch by batch: a rule looks at all samples drawn so far, earlier stages included."""
    chain = 0
    for place, stage in enumerate(parameters.stages):
        revises = stage.draw == "attempts"
        drawn = 0
        texts: tuple[str, ...] = ()
        for width in _batches(stage):
            request = answers(
                task, stage.generator, width, place=("cascade", place, drawn), settings=parameters.setting(place),
                messages=task.revision(stage.generator, texts) if texts else None,
            )  # fmt: skip
            new = yield from _batch(task, pool, stage, request, place=place, chain=chain, drawn=drawn)
            if should_stop(stage.stop, *_seen(pool, parameters)):
                return
            drawn += width
            if revises:
                texts += tuple(sample.text for sample in new if sample.text)
        chain += 1 if revises else stage.max_samples


def _batch(
    task: Task, pool: Pool, stage: Stage, request: Generate, *, place: int, chain: int, drawn: int
) -> Generator[Requests, Replies, list[Sample]]:
    """Draw and score one batch, after `drawn` draws of a stage whose first chain is `chain`."""
    (reply,) = yield (request,)
    revises = stage.draw == "attempts"
    samples = [
        as_sample(
            task, one, generator=stage.generator, stage=place,
            chain=chain if revises else chain + number, attempt=number if revises else 0,
        )
        for number, one in enumerate(completions(reply)[: request.n], start=drawn)
    ]  # fmt: skip
    return (yield from judged(task, pool, samples, stage.verifier))


def _batches(stage: Stage) -> list[int]:
    """Widths of the batches of a stage; attempts revise one another, so that a batch of them is one."""
    width = 1 if stage.draw == "attempts" else stage.batch
    full, rest = divmod(stage.max_samples, width)
    return [width] * full + [rest] * (rest > 0)


def _seen(pool: Pool, parameters: CascadeParameters) -> tuple[list[str | None], list[float | None]]:
    return [one.answer for one in pool.samples], [score_of(one, parameters) for one in pool.samples]


STRATEGY = Strategy("cascade", run, CascadeParameters, "stages that stop once their rule holds, and escalate else")
