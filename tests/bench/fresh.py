"""Fresh problems of the lab, and pools of samples drawn on them live: what fixed arms and cascades are judged by."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.api import Planner
from planner.core import Arm, Message, Run, Sample
from planner.curves.cascade import replay_cascades
from planner.curves.concatenation import concatenate_arms
from planner.curves.logs import Logs
from planner.curves.table import OutcomeTable
from planner.curves.tabulation import tabulate
from planner.execution.driver import drive
from planner.execution.meter import Meter
from planner.formats.answers import extractor
from planner.lab import LabEndpoint
from planner.lab.problems import Problem, problems
from planner.strategies import carry_out
from planner.strategies.task import Task

POOLS = (
    Arm(generator="lab-small", verifier="lab-prm", selection="weighted_vote", breadth=64),
    Arm(generator="lab-large", verifier="lab-prm", selection="weighted_vote", breadth=16),
    Arm(generator="lab-reviser", verifier="lab-prm", selection="weighted_vote", breadth=8, depth=8),
)
"""As in the bundled logs, a little smaller."""


@dataclass(frozen=True)
class Fresh:
    """Problems that no log holds, and the runs that were drawn on them."""

    problems: tuple[Problem, ...]
    logs: Logs

    @property
    def asked(self) -> list[dict[str, object]]:
        """The problems as `Planner.run_batch` takes them."""
        return [
            {"prompt": one.prompt, "prompt_id": _id(place), "reference": one.reference, "dataset": "fresh"}
            for place, one in enumerate(self.problems)
        ]

    @property
    def order(self) -> list[int]:
        """For each prompt of the logs the place of its problem."""
        place = {_id(place): place for place in range(len(self.problems))}
        return [place[prompt_id] for prompt_id in self.logs.prompts.ids]

    def table(self, arms: Sequence[Arm], *, seed: int = 0) -> OutcomeTable:
        """Outcome and use of those of `arms` that the pools hold, in that order, problem by problem."""
        found = table_of(self.logs, arms, seed=seed)
        row = {prompt_id: row for row, prompt_id in enumerate(found.prompts.ids)}
        return found.take_prompts(np.array([row[_id(place)] for place in range(len(self.problems))]))


def table_of(logs: Logs, arms: Sequence[Arm], *, seed: int = 0) -> OutcomeTable:
    """Outcome and use of those of `arms` that the logs hold, in that order."""
    found = tabulate(logs, seed=seed, cascades=False)
    cascades = [arm for arm in arms if arm.search == "cascade"]
    if cascades:
        found = concatenate_arms([found, replay_cascades(logs, cascades, seed=seed)])
    place = {arm: i for i, arm in enumerate(found.arms)}
    return found.take_arms(np.array([place[arm] for arm in arms if arm in place], dtype=np.intp))


def draw(planner: Planner, n: int, *, seed: int, pools: Sequence[Arm] = POOLS) -> Fresh:
    """Draw pools of samples on `n` fresh problems, with the lab's models in this process."""
    made = tuple(problems(n, seed=seed))
    runs = asyncio.run(_draw(planner, made, pools, seed))
    with tempfile.TemporaryDirectory() as folder, Planner.open(f"sqlite:///{folder}/fresh.db") as own:
        own.store.save_models([stored.card for stored in planner.store.models()])
        own.store.append(runs)
        return Fresh(made, own.store.read_logs())


async def _draw(planner: Planner, made: Sequence[Problem], pools: Iterable[Arm], seed: int) -> list[Run]:
    cards = {stored.card.name: stored.card for stored in planner.store.models()}
    endpoint, read = LabEndpoint(), extractor("answer_line")

    async def one(place: int, problem: Problem, arm: Arm) -> Run:
        task = Task(
            (Message("user", problem.prompt),), read, lambda text: read(text) is not None,
            seed=seed * 1_000_003 + place, cards=cards, conventions=endpoint.conventions,
        )  # fmt: skip
        result = await drive(carry_out(arm, task), endpoint, Meter(None, cards))
        return Run(
            run_id=f"{_id(place)}/{arm.generator}", prompt_id=_id(place), prompt=problem.prompt, dataset="fresh",
            reference=problem.reference, generator=arm.generator, verifier=arm.verifier, selection=None,
            breadth=arm.breadth, depth=arm.depth, samples=tuple(_graded(s, problem) for s in result.samples),
        )  # fmt: skip

    try:
        return [run for arm in pools for run in await asyncio.gather(*(one(i, p, arm) for i, p in enumerate(made)))]
    finally:
        await endpoint.aclose()


def _graded(sample: Sample, problem: Problem) -> Sample:
    return sample.model_copy(update={"correct": float(sample.answer == problem.reference), "text": None})


def _id(place: int) -> str:
    return f"fresh-{place:05d}"
