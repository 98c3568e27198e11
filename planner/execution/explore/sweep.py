"""The sweep: round after round of the design, runs side by side, under one budget, and logged as they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from planner.core import Budget, Run, Unit
from planner.errors import EndpointError, InvalidInput, RequestRefused
from planner.execution.explore.carry import Assignment, Bench, Carried, is_finished
from planner.execution.explore.design import Design, Round, contested, rounds, run_id, shuffled
from planner.execution.explore.purse import Purse, spent_text
from planner.execution.explore.question import Question
from planner.execution.explore.rollouts import Solution, roll_out, worth_rolling_out
from planner.execution.job import check_prompt
from planner.execution.journal import alone
from planner.execution.prices import Role
from planner.execution.run_log import RunLog, journal_folder
from planner.execution.runner import Runner
from planner.strategies.carrying_out import carry_out

MOST_RUNNING = 64
MOST_FAILURES = 10
"""Runs that may fail one after another before the sweep gives up."""
SOLUTIONS = 4
"""Answers of a prompt whose steps are rolled out, right and wrong ones by turns."""
Report = Callable[[float, float | None, str | None], None]


@dataclass(frozen=True)
class SweepReport:
    """What a sweep came to.

    n_runs and n_samples are new ones, n_known runs were logged before, n_failed came to nothing. spent: by all of
    them, 0 where a unit's cost is unknown. stopped: the unit of the total that ended it early, else None.
    """

    import_id: str
    n_runs: int
    n_samples: int
    n_known: int
    n_failed: int
    spent: Mapping[Unit, float]
    stopped: Unit | None = None

    @property
    def summary(self) -> str:
        """One line for people."""
        text = f"{self.n_runs:,} runs with {self.n_samples:,} samples are logged as {self.import_id}"
        text += f"; {self.n_known:,} were logged before" if self.n_known else ""
        text += f"; {self.n_failed:,} failed" if self.n_failed else ""
        text += f"; {spent_text(self.spent)} in all"
        return text + (f"; the total in {self.stopped} was reached" if self.stopped else "")


@dataclass
class Sweep:
    """A design over questions. What is logged already is not done again, and counts in the total.

    runner: its endpoint, log and rules are used. total: ceilings over all runs together. rollouts: so many from each
    step of some answers; 0 for none. `run` may be called once.
    """

    design: Design
    questions: Sequence[Question]
    runner: Runner
    total: Budget | None = None
    rollouts: int = 0
    report: Report = field(default=lambda _done, _total=None, _stage=None: None)

    def __post_init__(self) -> None:
        ceilings = {} if self.total is None else self.total.ceilings
        if self.total is not None and (self.total.mean is not None or "latency_seconds" in ceilings):
            raise InvalidInput("the total of a sweep is in generations, tokens, FLOPs or USD")
        self._by_id = {one.prompt_id: one for one in self.questions}
        if len(self._by_id) < len(self.questions):
            raise InvalidInput("two prompts have one prompt_id: give each an id of its own, or leave the ids out")
        for one in self.questions:  # what cannot be stored, read or graded is found before anything is spent
            check_prompt(one.prompt, one.prompt_id, one.dataset, one.reference, one.metadata)
            self.runner.reading(one)
            self.runner.grader(one)
        self._purse = Purse(self.runner.prices(), ceilings)
        models = _models(self.design)
        self._purse.prices.require(ceilings, models)
        self.import_id = run_id("sweep", self.design.seed, *sorted(self._by_id), *sorted(models))
        log = RunLog(
            self.runner.log.store,
            store_texts=self.runner.log.store_texts,
            source="explore",
            import_id=self.import_id,
        )
        self._bench = Bench(replace(self.runner, log=log), self._purse)
        self._remembered: set[str] = set()
        self._n_runs = self._n_samples = self._n_known = self._n_failed = self._failures = 0
        self._stopped: Unit | None = None
        self._rounds = rounds(self.design)

    async def run(self) -> SweepReport:
        """Carry the design out. Raises the EndpointError where run after run fails; what was done is logged.

        Raises NotReady while another process on this machine does: both would draw the same, and one of them be logged.
        """
        with alone(journal_folder(self.runner.log.store), self.import_id):
            return await self._run()

    async def _run(self) -> SweepReport:
        order = shuffled(self._by_id, self.design.seed)
        logged: list[Run] = []
        if self._purse.ceilings:
            self._remember_all(order)
        try:
            for number, one in enumerate(self._rounds):
                asked = contested(order, logged, self.design.seed) if one.contested else order
                found = await self._carry(self._assignments(one, asked), one.arm.label, number)
                logged += map(self._kept, found)
            if self.rollouts:
                assignments = self._rollouts(order, logged)
                await self._carry(assignments, f"{self.rollouts} rollouts a step", len(self._rounds))
        finally:
            await self._bench.runner.log.close()
        return SweepReport(
            self.import_id,
            self._n_runs,
            self._n_samples,
            self._n_known,
            self._n_failed,
            self._purse.spent,
            self._stopped,
        )

    def _assignments(self, one: Round, asked: Sequence[str]) -> list[Assignment]:
        search = partial(carry_out, one.arm)
        return [
            Assignment(one.run_id(prompt, self.design.seed), self._by_id[prompt], one.arm, search) for prompt in asked
        ]

    def _remember_all(self, order: Sequence[str]) -> None:
        """Count what is logged of every round: where the total left one undone, later ones may have been drawn."""
        logged: list[Run] = []
        for one in self._rounds:
            known, _ = self._known(self._assignments(one, order))
            logged += map(self._kept, known)
        if self.rollouts:
            self._known(self._rollouts(order, logged))

    def _kept(self, run: Run) -> Run:
        """What later rounds look at: outcomes, and texts of answers to roll out."""
        if self.rollouts and run.generator == self._first:
            return run
        return run.model_copy(update={"samples": tuple(one.model_copy(update={"text": None}) for one in run.samples)})

    @property
    def _first(self) -> str:
        return (*self.design.generators, *self.design.revisers)[0]

    def _rollouts(self, order: Sequence[str], logged: Sequence[Run]) -> list[Assignment]:
        """Rollouts of answers of the first generator, to prompts where answers differ and to some others."""
        chosen = set(contested(order, logged, self.design.seed))
        sampled = [run for run in logged if run.generator == self._first and run.search == "sampling"]
        mine = [run for run in sampled if run.prompt_id in chosen]
        separator = self.runner.endpoint.conventions.step_separator
        solutions = [
            (prompt_id, Solution.of(run, sample, self.rollouts, separator))
            for prompt_id, some in worth_rolling_out(mine, SOLUTIONS, separator).items()
            for run, sample in some
        ]
        return [
            Assignment(one.run_id, self._by_id[prompt_id], one.arm, partial(roll_out, one))
            for prompt_id, one in solutions
        ]

    async def _carry(self, wanted: Sequence[Assignment], label: str, number: int) -> list[Run]:
        """Carry out what is not logged yet, side by side, until all or the total is done; give all runs there are."""
        known, waiting = self._known(wanted)
        self._n_known += len(known)
        found = [await self._bench.graded(run, self._by_id.get(run.prompt_id or "")) for run in known]
        n_wanted = len(waiting)
        running: set[asyncio.Task[Carried]] = set()
        try:
            while True:
                self._start(waiting, running)
                if not running:
                    return found
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    run = self._take(task.result())
                    if run is not None:
                        found.append(run)
                    elif self._stopped:
                        waiting.clear()
                share = 1 - (len(waiting) + len(running)) / n_wanted
                n_rounds = len(self._rounds) + bool(self.rollouts)
                self.report(number + share, n_rounds, f"{label}: {spent_text(self._purse.spent)}")
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _start(self, waiting: list[Assignment], running: set[asyncio.Task[Carried]]) -> None:
        """Begin what may run beside what runs; where the total would not bear it, nothing is left waiting."""
        most = min(MOST_RUNNING, max(1, self.runner.endpoint.max_concurrency))
        while waiting:
            arm = waiting[-1].arm
            if len(running) >= min(most, self._purse.most_running(arm) or most):
                return
            lacking = self._purse.lacks(arm, len(running))
            if lacking is not None:
                self._stopped = lacking
                waiting.clear()
                return
            running.add(asyncio.create_task(self._bench.carry(waiting.pop())))

    def _take(self, carried: Carried) -> Run | None:
        """Count what has ended; raises its error where it is no use to go on."""
        self._purse.note(carried.cost, carried.run)
        if carried.run is not None:
            self._failures = 0
            self._n_runs += 1
            self._n_samples += len(carried.run.samples)
            return carried.run
        if carried.error is None:
            self._stopped = self._stopped or next(iter(self._purse.ceilings), None)
            return None
        self._n_failed += 1
        self._failures += 1
        # One that is refused for its prompt says nothing of the others.
        unheard = not (self._n_runs or self._n_known or isinstance(carried.error, RequestRefused))
        if unheard or self._failures >= MOST_FAILURES or not isinstance(carried.error, EndpointError):
            raise carried.error
        return None

    def _known(self, wanted: Sequence[Assignment]) -> tuple[list[Run], list[Assignment]]:
        """Runs that are logged already, and what is left to do, the first last.

        A run that was broken off stays logged as what it cost; its assignment is done under a next id.
        """
        known: list[Run] = []
        left: list[Assignment] = []
        looked_for, suffix = list(wanted), 1
        while looked_for:
            logged = {run.run_id: run for run in self.runner.log.store.find_runs([one.run_id for one in looked_for])}
            for run in logged.values():
                if run.run_id not in self._remembered:
                    self._purse.remember(run)
            self._remembered.update(run.run_id or "" for run in logged.values())
            finished = [run for run in logged.values() if is_finished(run)]
            known += finished
            left += [one for one in looked_for if one.run_id not in logged]
            done = {run.run_id for run in finished}
            suffix += 1
            looked_for = [
                replace(one, run_id=f"{one.run_id.split('/')[0]}/{suffix}")
                for one in looked_for
                if one.run_id in logged and one.run_id not in done
            ]
        return known, left[::-1]


def _models(design: Design) -> list[tuple[str, Role]]:
    verifiers: list[tuple[str, Role]] = [] if design.verifier is None else [(design.verifier, "verifier")]
    return [*((name, "generator") for name in (*design.generators, *design.revisers)), *verifiers]
