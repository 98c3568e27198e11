"""Carrying plans out: an endpoint held open, prompts recommended for and run at it, side by side and in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from planner.api.asked import Asked
from planner.api.endpoints import LAB, open_endpoint
from planner.api.mean_budget import MeanBudget
from planner.api.share import Share
from planner.core import Budget, Endpoint, ModelCard, Recommendation, RunResult
from planner.core.arguments import check_budget, check_whole
from planner.errors import EndpointError, EndpointUnavailable, InvalidInput, PlannerError, RequestRefused
from planner.execution.answers import DEFAULT_EXTRACTOR
from planner.execution.job import Job
from planner.execution.ledger import Ledger
from planner.execution.run_log import RunLog, journal_folder, recover
from planner.execution.runner import OnSpent, Runner
from planner.execution.session import session

if TYPE_CHECKING:
    from planner.api.home import Home

MOST_PROMPTS = 256
"""Prompts that are run side by side at most: each holds its pool of answers in memory."""
FAILURES_IN_A_ROW = 8
"""After so many prompts of a batch that an endpoint answered nothing to, the rest is not tried."""


@dataclass(frozen=True)
class How:
    """How plans are carried out: `adapt` plans anew as answers come in; names of extractor and grader; a seed.

    choose: selection by which the answer is chosen in place of the plan's; such a plan is carried out as it is.
    """

    adapt: bool = True
    extract: str | None = None
    grade: str | None = None
    seed: int | None = None
    choose: str | None = None


class Running:
    """An endpoint held open at which plans are carried out and logged; made by `Planner.running`.

    Used within one event loop, by any number of its tasks.
    """

    def __init__(
        self,
        planner: Home,
        endpoint: str | Endpoint | None = None,
        *,
        verifiers: Mapping[str, Any] | None = None,
        max_concurrency: int | None = None,
        total: Budget | None = None,
    ) -> None:
        """`total`: ceilings of all runs together. Runs that a killed process left behind are logged first.

        Raises InvalidInput for an endpoint that cannot be used, and a total that could not be kept.
        """
        self._total = _account(total)
        if max_concurrency is not None:
            check_whole("max_concurrency", max_concurrency, 1)
        settings, store = planner.settings, planner.store
        recover(store, store_texts=settings.store_prompt_text)
        self._planner = planner
        self._owned = isinstance(endpoint, str) or endpoint is None
        memory = journal_folder(store) / "servers.json"
        opened = open_endpoint(endpoint, settings, verifiers=verifiers, max_concurrency=max_concurrency, memory=memory)
        self._share: Share | None = None
        cards: dict[str, ModelCard] = {stored.card.name: stored.card for stored in store.models()}
        self.runner = Runner(
            opened,
            RunLog(store, store_texts=settings.store_prompt_text),
            cards,
            datasets={name: names.model_dump() for name, names in settings.datasets.items()},
            # as in its logs: who gives no answer line has no answer
            default_extract="answer_line" if opened.name == LAB else DEFAULT_EXTRACTOR,
            shared=() if self._total is None else (self._total,),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Write all runs to the store, and let go of the endpoint."""
        try:
            await self.runner.log.close()
        finally:
            if self._owned:
                await self.runner.endpoint.aclose()

    async def run(
        self,
        plan: Recommendation,
        asked: Asked,
        budget: Budget | None = None,
        *,
        how: How | None = None,
        on_spent: OnSpent | None = None,
    ) -> RunResult:
        """Carry one plan out; see `Runner.run` for what it raises."""
        return await self.runner.run(self.job(plan, asked, budget, how or How()), on_spent=on_spent)

    def job(self, plan: Recommendation, asked: Asked, budget: Budget | None, how: How) -> Job:
        """What the runner is given."""
        limits = budget or plan.budget
        # What was asked for by name is carried out as it is; a session needs a budget to plan with.
        adapts = how.adapt and how.choose is None and limits is not None and not limits.is_empty
        search = None
        if adapts and limits is not None:
            if self._share is not None:
                limits = self._share.of(budget)
            search = partial(session, policy=self._planner.policy, asked=asked.input, budget=limits, plan=plan)
        if how.choose is not None:
            plan = plan.model_copy(update={"arm": plan.arm.model_copy(update={"selection": how.choose})})
        return Job(
            plan,
            asked.input.text,
            asked.messages,
            dataset=asked.input.dataset,
            reference=asked.reference,
            metadata=asked.input.metadata,
            budget=budget or plan.budget,
            search=search,
            extract=how.extract,
            grade=how.grade,
            seed=how.seed,
        )

    async def run_all(
        self,
        plans: Iterable[PlannerError | tuple[Asked, Recommendation]],
        budget: Budget | None = None,
        *,
        how: How | None = None,
        on_spent: OnSpent | None = None,
    ) -> AsyncIterator[RunResult | PlannerError]:
        """Carry plans out side by side; results come in the order of the plans, each as soon as those before it are.

        A prompt that has no plan, or whose run failed, gives its error as a value; once the endpoint has failed many
        in a row, all that are left do without being tried. Where an average over the batch is not met by the runs so
        far, sessions that begin later are given more, or less.
        """
        luck = _Luck(self.runner.endpoint.name)
        kept = None if budget is None or budget.mean is None else MeanBudget(*budget.mean)
        if self._total is not None:
            plans = list(plans)
            self._share = Share(self._total, sum(not isinstance(planned, PlannerError) for planned in plans))
        waiting: deque[asyncio.Task[RunResult | PlannerError]] = deque()
        room = asyncio.Semaphore(min(self.runner.endpoint.max_concurrency, MOST_PROMPTS))
        try:
            for planned in plans:
                await room.acquire()
                used = budget if budget is None or kept is None else kept.of(budget)
                task = asyncio.create_task(self._one(planned, used, how, on_spent, luck))
                task.add_done_callback(lambda _: room.release())
                waiting.append(task)
                while waiting and waiting[0].done():
                    result = waiting.popleft().result()
                    if kept is not None:
                        _take_in(kept, result, in_flight=1 + len(waiting))
                    yield result
            while waiting:
                yield await waiting[0]
                waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _one(
        self,
        planned: PlannerError | tuple[Asked, Recommendation],
        budget: Budget | None,
        how: How | None,
        on_spent: OnSpent | None,
        luck: _Luck,
    ) -> RunResult | PlannerError:
        if isinstance(planned, PlannerError):
            return planned
        asked, plan = planned
        result: RunResult | PlannerError
        try:
            luck.check()
            result = await self.run(plan, asked, budget, how=how, on_spent=on_spent)
        except PlannerError as error:
            result = error
        luck.note(result)
        if self._share is not None:
            self._share.left -= 1
        return result


def _account(total: Budget | None) -> Ledger | None:
    """The account of a total; an average is none, and seconds that pass side by side have no sum."""
    check_budget("total", total)
    if total is None:
        return None
    if total.is_empty or total.mean is not None or "latency_seconds" in total.ceilings:
        raise InvalidInput("the total of many runs is in max_generations, max_tokens, max_flops or max_usd")
    return Ledger(total.ceilings)


def _take_in(kept: MeanBudget, result: RunResult | PlannerError, *, in_flight: int) -> None:
    """What a run of a batch has cost; in the order in which they began, since the first to end are the cheap ones."""
    cost = result.cost.in_unit(kept.unit) if isinstance(result, RunResult) else None
    if cost is not None:
        kept.spent(cost, in_flight=in_flight)


@dataclass
class _Luck:
    """How many runs in a row an endpoint has failed."""

    name: str
    failures: int = 0

    def check(self) -> None:
        """Raise EndpointUnavailable where another try is not worth its while."""
        if self.failures >= FAILURES_IN_A_ROW:
            raise EndpointUnavailable(f"not tried: {self.name} failed {self.failures} prompts in a row")

    def note(self, result: RunResult | PlannerError) -> None:
        """Take in how a run ended."""
        # What is refused for its prompt says nothing of those that come after it.
        failed = isinstance(result, EndpointError) and not isinstance(result, RequestRefused)
        self.failures = self.failures + 1 if failed else 0
