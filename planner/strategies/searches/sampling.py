"""Independent chains side by side, each revised attempt after attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from planner.core import Arm, Generate
from planner.errors import InvalidInput
from planner.strategies.drawing import answers, as_sample, completions, judged
from planner.strategies.parameters import LEFT_TO_THE_SERVER, Parameters, Settings
from planner.strategies.pool import Pool, Replies, Search
from planner.strategies.registry import Strategy
from planner.strategies.selections import selection_of
from planner.strategies.task import Task


class SamplingParameters(Parameters):
    """The settings of a sampled pool stand beside the other parameters, as logs have them, or in `settings`."""

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, said: Any) -> Any:  # noqa: ANN401 - as pydantic hands it over
        beside = {name: said[name] for name in (*Settings.model_fields, *LEFT_TO_THE_SERVER) if name in said}
        if not beside:
            return said
        rest = {name: value for name, value in said.items() if name not in {*beside, "settings"}}
        inner = {"settings": said["settings"]} if said.get("settings") else {}
        return {**rest, "settings": {**beside, **inner}}


def run(arm: Arm, task: Task, pool: Pool, parameters: SamplingParameters) -> Search:
    """Raises InvalidInput, at once, where the selection asks for scores and the arm has no verifier."""
    # A selection that reads no score pays for none, as such arms are charged in logs.
    verifier = arm.verifier if selection_of(arm.selection).needs_scores else None
    if selection_of(arm.selection).needs_scores and verifier is None:
        raise InvalidInput(f"{arm.selection!r} needs a verifier: name one, or choose by majority_vote or medoid")
    return _draw(arm, task, pool, parameters.settings, verifier)


def _draw(arm: Arm, task: Task, pool: Pool, settings: Settings, verifier: str | None) -> Search:
    """`breadth` chains of `depth` attempts: chains side by side, attempts one after the other."""
    (reply,) = yield (answers(task, arm.generator, arm.breadth, place=("sampling", 0), settings=settings),)
    replies: Replies = [(one,) for one in completions(reply)[: arm.breadth]]
    chains: dict[int, tuple[str, ...]] = dict.fromkeys(range(len(replies)), ())
    for attempt in range(arm.depth if chains else 0):
        if attempt:
            replies = yield _revisions(arm, task, settings, chains, attempt)
        drawn = [
            as_sample(task, one, generator=arm.generator, chain=chain, attempt=attempt)
            for chain, reply in zip(chains, replies, strict=True)
            for one in completions(reply)[:1]
        ]
        yield from judged(task, pool, drawn, verifier)
        chains |= {one.chain: (*chains[one.chain], one.text) for one in drawn if one.text}


def _revisions(
    arm: Arm, task: Task, settings: Settings, chains: Mapping[int, tuple[str, ...]], attempt: int
) -> tuple[Generate, ...]:
    """A next attempt of each chain; one whose attempts all failed begins anew."""
    return tuple(
        answers(
            task, arm.generator, place=("sampling", attempt, chain), settings=settings,
            messages=task.revision(arm.generator, texts),
        )
        for chain, texts in chains.items()
    )  # fmt: skip


STRATEGY = Strategy("sampling", run, SamplingParameters, "independent chains, each revised attempt after attempt")
