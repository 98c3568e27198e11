"""The runner: one prompt from its plan to a logged run."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from planner.core import Arm, Cost, Endpoint, ModelCard, Run, RunResult, Sample
from planner.core.run import Status
from planner.errors import EndpointError, InvalidInput
from planner.execution.answers import DEFAULT_EXTRACTOR, DEFAULT_GRADER, Reading, first_named, reading
from planner.execution.driver import drive
from planner.execution.graders import Grader, Grades, grader
from planner.execution.job import Job, seed_of, verified_by
from planner.execution.ledger import Ledger
from planner.execution.lengths import Judging
from planner.execution.meter import Meter, Settled
from planner.execution.prices import Prices, Role
from planner.execution.routed import RoutedEndpoint
from planner.execution.run_log import RunLog, run_costs
from planner.execution.server_slots import ServerSlots
from planner.execution.session import SEARCH, session_arm, stages_of
from planner.execution.verifiers import CallableVerifier, CommandVerifier, JudgeVerifier
from planner.strategies.pool import Result
from planner.strategies.task import Task

KILLED = "its process ended"
OnSpent = Callable[[str, Cost], None]
"""Told after every request which run has spent how much by then."""


class Judged(Protocol):
    """What is read and graded by names of its own, of its metadata or of its data set."""

    @property
    def dataset(self) -> str | None:
        """Name of its data set."""

    @property
    def reference(self) -> str | None:
        """Gold answer."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """May hold `extract` and `grade`."""

    @property
    def extract(self) -> str | None:
        """Name of an extractor, before all others."""

    @property
    def grade(self) -> str | None:
        """Name of a grader, before all others."""


@dataclass
class Runner:
    """Carries plans out at one endpoint, side by side within its concurrency, and logs every run.

    datasets: {extract, grade} of each data set that has its own. default_extract: where nothing else names one.
    shared: accounts of all runs together. Used by the tasks of one event loop.
    """

    endpoint: Endpoint
    log: RunLog
    cards: Mapping[str, ModelCard]
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    default_extract: str = DEFAULT_EXTRACTOR
    shared: Sequence[Ledger] = ()
    clock: Callable[[], float] = time.monotonic
    slots: ServerSlots = field(init=False)
    _graders: dict[str, Grader] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.slots = ServerSlots(self.endpoint)

    async def run(self, job: Job, *, on_spent: OnSpent | None = None) -> RunResult:
        """Carry a plan out, grade it where it has a reference, and log it.

        Raises InvalidInput before anything is spent where the plan cannot be carried out, and EndpointError where no
        answer could be had; what was spent until then is logged all the same, cancellation included.
        """
        return await _Run(self, job, on_spent).run()

    def free(self) -> frozenset[str]:
        """Verifiers that are no models."""
        verifiers = self.endpoint.verifiers if isinstance(self.endpoint, RoutedEndpoint) else {}
        return frozenset(n for n, v in verifiers.items() if isinstance(v, CallableVerifier | CommandVerifier))

    def judges(self) -> dict[str, Judging]:
        """Verifiers that are language models, and how they are asked."""
        verifiers = self.endpoint.verifiers if isinstance(self.endpoint, RoutedEndpoint) else {}
        return {n: v.judging for n, v in verifiers.items() if isinstance(v, JudgeVerifier)}

    def prices(self) -> Prices:
        """What the models, and the verifiers that are none, cost."""
        return Prices(self.cards, self.free(), self.judges())

    def reading(self, job: Judged) -> Reading:
        """How the job's candidates are read."""
        return reading(first_named("extract", *self._places(job, job.extract, "extract"), default=self.default_extract))

    def grader(self, job: Judged) -> Grader | None:
        """How its answers are graded; None without a reference."""
        if job.reference is None:
            return None
        name = first_named("grade", *self._places(job, job.grade, "grade"), default=DEFAULT_GRADER)
        if name not in self._graders:
            self._graders[name] = grader(name)
        return self._graders[name]

    def _places(self, job: Judged, given: str | None, member: str) -> tuple[Mapping[str, Any], ...]:
        return ({member: given}, job.metadata, self.datasets.get(job.dataset or "", {}))


class _Run:
    """One run, from its beginning in the journal to its line in the log."""

    def __init__(self, runner: Runner, job: Job, on_spent: OnSpent | None) -> None:
        self.runner, self.job = runner, job
        self.run_id = uuid.uuid4().hex
        self.reading, self.grader = runner.reading(job), runner.grader(job)
        self._on_spent = on_spent
        self.started_at = datetime.now(UTC)
        arm = job.plan.arm
        self.meter = Meter(
            job.ceilings,
            runner.cards,
            completion_tokens=job.completion_tokens,
            verified_by=verified_by(arm),
            shared=runner.shared,
            free=runner.free(),
            judges=runner.judges(),
            clock=runner.clock,
            on_settled=self._settled,
        )
        roles: list[tuple[str, Role]] = [(name, "generator") for name in arm.generators]
        self.meter.require([*roles, *((name, "verifier") for name in set(verified_by(arm).values()))])

    async def run(self) -> RunResult:
        runner, job = self.runner, self.job
        task = Task(
            job.messages,
            self.reading.extract,
            self.reading.answered,
            seed=seed_of(self.run_id) if job.seed is None else job.seed,
            cards=runner.cards,
            conventions=runner.endpoint.conventions,
        )
        search = job.searching(task)
        runner.log.begin(self._interrupted(_killed_arm(job.plan.arm)))
        try:
            result = await drive(search, runner.endpoint, self.meter, slots=runner.slots.of)
        except InvalidInput:
            if self.meter.is_empty:
                runner.log.forget(self.run_id)
            else:
                runner.log.add(self._left("what it asked for could not be used"))
            raise
        except BaseException as error:
            failure = error if isinstance(error, EndpointError) else None
            reason = "it was broken off" if failure is None else runner.log.reason(str(failure), failure)
            runner.log.add(self._left(reason))
            raise
        return await self._finished(result, self.meter.cost)

    def _settled(self, _: Settled) -> None:
        cost = self.meter.cost
        self.runner.log.spend(self.run_id, cost, self.meter.verdicts)
        if self._on_spent is not None:
            self._on_spent(self.run_id, cost)

    async def _finished(self, result: Result, cost: Cost) -> RunResult:
        """Grade and log what was found; a grader that fails leaves the run ungraded."""
        grades = Grades(self.grader, self.job.reference)
        try:
            await grades.take(result.samples)
        finally:
            samples = tuple(one.model_copy(update={"correct": grades.of(one)}) for one in result.samples)
            run = self._found(result, samples, cost)
            self.runner.log.add(run)
        return RunResult(
            run_id=self.run_id,
            prompt_id=self.job.plan.prompt_id,
            answer=run.answer,
            text=result.text,
            correct=run.correct,
            status=run.status,
            cost=cost,
            usage=self.meter.usage,
            plan=self.job.plan,
            probes=int(result.arm.params.get("probes", 0)) if result.arm.search == SEARCH else 0,
            stages=tuple(stages_of(samples)),
            reason=result.interrupted,
            note=result.note,
        )

    def _found(self, result: Result, samples: tuple[Sample, ...], cost: Cost) -> Run:
        chosen = None if result.chosen is None else samples[result.chosen]
        arm = result.arm
        if result.interrupted is not None:
            arm = interrupted_arm(arm, self.runner.log.reason(result.interrupted, result.failure), samples)
        return self._line(
            arm,
            cost,
            answer=None if chosen is None else chosen.answer,
            correct=None if chosen is None else chosen.correct,
            status=_status(result, chosen),
            samples=samples,
        )

    def _left(self, reason: str) -> Run:
        """How the run is logged that came to no result."""
        return self._interrupted(interrupted_arm(self.job.plan.arm, reason, ()))

    def _interrupted(self, arm: Arm) -> Run:
        return self._line(arm, self.meter.cost, answer=None, correct=None, status="error", samples=())

    def _line(self, arm: Arm, cost: Cost, **found: Any) -> Run:  # noqa: ANN401 - columns of a `Run`
        job = self.job
        return Run.trusted(
            {
                "run_id": self.run_id,
                "prompt_id": job.plan.prompt_id,
                "prompt": job.text,
                "dataset": job.dataset,
                "reference": job.reference,
                "metadata": dict(job.metadata),
                "generator": arm.generator,
                "verifier": arm.verifier,
                "search": arm.search,
                "selection": arm.selection,
                "breadth": arm.breadth,
                "depth": arm.depth,
                "params": arm.params,
                "recommendation_id": job.plan.recommendation_id,
                "propensity": job.plan.propensity,
                "started_at": self.started_at,
                **run_costs(cost, self.meter.verdicts),
                **found,
            }
        )


def interrupted_arm(arm: Arm, reason: str, samples: tuple[Sample, ...]) -> Arm:
    """What a run is logged as that did not carry its plan out: no outcome of the plan's arm, nor a sample of its pool.

    Who is cut off by a ceiling tends to be long, and who fails says nothing of the generator.
    """
    done = arm if arm.search == SEARCH else session_arm(arm, samples, probes=0)
    planned = {} if arm.search == SEARCH else {"planned": arm.model_dump(mode="json")}
    return done.model_copy(update={"params": {**done.params, **planned, "interrupted": reason}})


@lru_cache(maxsize=1024)
def _killed_arm(arm: Arm) -> Arm:
    """Made once for all runs of an arm: every run begins with it."""
    return interrupted_arm(arm, KILLED, ())


def _status(result: Result, chosen: Sample | None) -> Status:
    if chosen is None or chosen.status == "error":
        return "truncated" if chosen is None and result.interrupted is not None else "error"
    return "truncated" if result.interrupted is not None else chosen.status
