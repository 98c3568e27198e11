"""Independent chains side by side, each revised attempt after attempt."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from planner.core import Arm
from planner.errors import InvalidInput
from planner.strategies.drawing import answers, as_sample, completions, judged
from planner.strategies.parameters import Parameters, Settings
from planner.strategies.pool import Pool, Search
from planner.strategies.registry import Strategy
from planner.strategies.selections import selection_of
from planner.strategies.task import Task


class SamplingParameters(Parameters):
    """A sampled pool's settings stand beside the others, or in `settings`."""

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, params: Any) -> Any:  # noqa: ANN401 - as pydantic hands it over
        beside = {name: value for name, value in params.items() if name in Settings.model_fields}
        if not beside:
            return params
        rest = {name: value for name, value in params.items() if name not in beside}
        return {**rest, "settings": {**beside, **params.get("settings", {})}}


def run(arm: Arm, task: Task, pool: Pool, parameters: SamplingParameters) -> Search:
    """`breadth` chains of `depth` attempts: chains side by side, attempts one after the other."""
    verifier = _verifier(arm)
    first = answers(task, arm.generator, arm.breadth, place=("sampling", 0), settings=parameters.settings)
    (reply,) = yield (first,)
    drawn = [as_sample(task, one, generator=arm.generator, chain=chain) for chain, one in enumerate(completions(reply))]
    yield from judged(task, pool, drawn, verifier)
    chains = {sample.chain: [sample.text] if sample.text else [] for sample in drawn}
    for attempt in range(1, arm.depth):
        requests = tuple(
            answers(
                task, arm.generator, place=("sampling", attempt, chain), settings=parameters.settings,
                messages=task.revision(arm.generator, tuple(texts)),
            )
            for chain, texts in chains.items()
        )  # fmt: skip
        if not requests:
            return
        replies = yield requests
        drawn = [
            as_sample(task, one, generator=arm.generator, chain=chain, attempt=attempt)
            for chain, reply in zip(chains, replies, strict=True)
            for one in completions(reply)[:1]
        ]
        yield from judged(task, pool, drawn, verifier)
        for sample in drawn:
            chains[sample.chain] += [sample.text] if sample.text else []


def _verifier(arm: Arm) -> str | None:
    """Who scores: nobody where the selection reads no score, as arms are charged in logs."""
    if not selection_of(arm.selection).needs_scores:
        return None
    if arm.verifier is None:
        raise InvalidInput(f"{arm.selection!r} needs a verifier: name one, or choose by majority_vote or medoid")
    return arm.verifier


STRATEGY = Strategy("sampling", run, SamplingParameters, "independent chains, each revised attempt after attempt")
