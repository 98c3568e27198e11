"""One run of a sweep: carried out, graded, and written down as a log has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from planner.core import Arm, Cost, Run, Sample
from planner.core.run import Status
from planner.errors import EndpointError
from planner.execution.driver import Searching, drive
from planner.execution.explore.design import JUDGE_THEMSELVES
from planner.execution.explore.purse import Purse
from planner.execution.explore.question import Question
from planner.execution.explore.rollouts import SEARCH as ROLLOUTS
from planner.execution.graders import Grades
from planner.execution.job import seed_of, verified_by
from planner.execution.meter import Meter
from planner.execution.run_log import run_costs
from planner.execution.runner import KILLED, Runner, interrupted_arm
from planner.store.rows import is_hashed
from planner.strategies.pool import Result
from planner.strategies.task import Task


@dataclass(frozen=True)
class Assignment:
    """One arm on one prompt; `search` makes its generator of requests."""

    run_id: str
    question: Question
    arm: Arm
    search: Callable[[Task], Searching]


@dataclass(frozen=True)
class Carried:
    """What became of an assignment: a run carried out to its end, an error, or neither where the total ended it.

    cost: what was spent on it in any case.
    """

    cost: Cost
    run: Run | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Bench:
    """What every run of a sweep is carried out with."""

    runner: Runner
    purse: Purse

    async def carry(self, one: Assignment) -> Carried:
        """Carry an assignment out, and log whatever was spent on it."""
        began = datetime.now(UTC)
        self.runner.log.begin(_record(one, _unfinished(one.arm, KILLED), began, status="error"))
        meter = self._meter(one)
        try:
            result = await drive(one.search(self._task(one)), self.runner.endpoint, meter, slots=self.runner.slots.of)
            run = await self._run(one, result, meter, began)
        except BaseException as error:
            failure = error if isinstance(error, EndpointError) else None
            reason = self.runner.log.reason(str(error) or "it was broken off", failure)
            left = _record(one, _unfinished(one.arm, reason), began, status="error", **self._spent(one, meter))
            self._log(left, meter)
            if not isinstance(error, Exception):
                raise
            return Carried(meter.cost, error=error)
        self._log(run, meter)
        return Carried(meter.cost, run) if is_finished(run) else Carried(meter.cost, error=result.failure)

    async def graded(self, run: Run, question: Question | None) -> Run:
        """A run that is logged; where its question got a reference since, it is graded, and its grades are logged."""
        if question is None or question.reference is None or not _lacks_grades(run):
            return run
        grades = await self._grades(run.samples, question)
        samples = tuple(
            one if one.correct is not None else one.model_copy(update={"correct": grades.of(one)})
            for one in run.samples
        )
        correct = run.correct if run.correct is not None or run.search == ROLLOUTS else grades.of_answer(run.answer)
        found = run.model_copy(update={"samples": samples, "correct": correct, "reference": question.reference})
        self.runner.log.add(found)
        return found

    def _log(self, run: Run, meter: Meter) -> None:
        if meter.is_empty:
            self.runner.log.forget(run.run_id or "")
        else:
            self.runner.log.add(run)

    def _meter(self, one: Assignment) -> Meter:
        def tell(_: object) -> None:
            self.runner.log.spend(one.run_id, meter.cost, _verdicts(one.arm, meter))

        meter = Meter(
            None,
            self.runner.cards,
            completion_tokens=self.purse.completion_tokens,
            verified_by=verified_by(one.arm),
            shared=(self.purse.account,),
            free=self.runner.free(),
            judges=self.runner.judges(),
            on_settled=tell,
        )
        return meter

    def _task(self, one: Assignment) -> Task:
        reading, endpoint = self.runner.reading(one.question), self.runner.endpoint
        return Task(
            one.question.messages,
            reading.extract,
            reading.answered,
            seed=seed_of(one.run_id),
            cards=self.runner.cards,
            conventions=endpoint.conventions,
        )

    async def _run(self, one: Assignment, result: Result, meter: Meter, began: datetime) -> Run:
        samples = await self._graded(result.samples, one)
        chosen = None if result.chosen is None else samples[result.chosen]
        # Who is cut off by the total tends to be long: what was drawn until then is no sample of a pool.
        arm = one.arm
        if result.interrupted is not None:
            reason = self.runner.log.reason(result.interrupted, result.failure)
            arm = _unfinished(arm, reason, result.samples)
        found = {} if chosen is None or arm.search == ROLLOUTS else {"answer": chosen.answer, "correct": chosen.correct}
        status = _status(result, chosen)
        return _record(one, arm, began, status=status, samples=tuple(samples), **found, **self._spent(one, meter))

    def _spent(self, one: Assignment, meter: Meter) -> dict[str, float | None]:
        """In columns of a `Run`, but for time: runs of a sweep wait for one another."""
        spent = run_costs(meter.cost, _verdicts(one.arm, meter))
        del spent["latency_seconds"]
        return spent

    async def _graded(self, samples: tuple[Sample, ...], one: Assignment) -> list[Sample]:
        """With grades where there is a reference, and without names that are the run's own."""
        grades = await self._grades(samples, one.question)
        graded: list[Sample] = []
        for sample in samples:
            known = {
                "correct": grades.of(sample),
                "generator": None if sample.generator == one.arm.generator else sample.generator,
                "verifier": None if sample.verifier == one.arm.verifier else sample.verifier,
            }
            graded.append(sample.model_copy(update=known))
        return graded

    async def _grades(self, samples: tuple[Sample, ...], question: Question) -> Grades:
        """Grades of the samples; none without a reference."""
        grades = Grades(self.runner.grader(question), question.reference)
        await grades.take(samples)
        return grades


def is_finished(run: Run) -> bool:
    """Whether a logged run of a sweep was carried out to its end."""
    return "interrupted" not in run.params


def _lacks_grades(run: Run) -> bool:
    """Whether answers of a logged run are ungraded, all of them being known as they were and not as hashes."""
    ungraded = any(one.correct is None and one.status != "error" for one in run.samples)
    return ungraded and not any(is_hashed(one.answer) for one in run.samples)


def _verdicts(arm: Arm, meter: Meter) -> int:
    """Calls of the verifier, or of the generator where it judges itself: it counts more than its candidates then."""
    if arm.verifier is None and arm.search in JUDGE_THEMSELVES:
        return max(0, round(meter.cost.generations or 0) - arm.breadth)
    return meter.verdicts


def _unfinished(arm: Arm, reason: str, samples: tuple[Sample, ...] = ()) -> Arm:
    if arm.search == ROLLOUTS:
        return arm.model_copy(update={"params": {**arm.params, "interrupted": reason}})
    return interrupted_arm(arm, reason, samples)


def _record(one: Assignment, arm: Arm, began: datetime, **found: Any) -> Run:  # noqa: ANN401 - columns of a `Run`
    question = one.question
    return Run(
        run_id=one.run_id,
        prompt_id=question.prompt_id,
        prompt=question.prompt,
        dataset=question.dataset,
        reference=question.reference,
        metadata=dict(question.metadata),
        generator=arm.generator,
        verifier=arm.verifier,
        search=arm.search,
        selection=None if arm.search == ROLLOUTS else arm.selection,
        breadth=arm.breadth,
        depth=arm.depth,
        params=arm.params,
        started_at=began,
        **found,
    )


def _status(result: Result, chosen: Sample | None) -> Status:
    if chosen is None:
        return "error"
    return "truncated" if result.interrupted is not None else chosen.status
