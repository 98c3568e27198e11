"""Many prompts run side by side for one command, and shown in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.api.asked import Asked
from planner.api.running import How
from planner.errors import PlannerError

if TYPE_CHECKING:
    from planner.api import Planner
    from planner.cli.budgets import Planned
    from planner.cli.common import Report
    from planner.cli.prompts import InputLine
    from planner.core import Cost, Recommendation, RunResult

    Show = Callable[[InputLine, RunResult | PlannerError], None]


class Batch:
    """The prompts of one command. done: prompts that were shown; interrupted: whether Ctrl-C ended it."""

    def __init__(
        self, planner: Planner, lines: Sequence[InputLine], asked: Planned, options: Mapping[str, Any]
    ) -> None:
        """`options` of `planner run`: endpoint, concurrency, no_adapt, extract, grade, choose, run_seed."""
        self._planner, self._lines, self._asked, self._options = planner, lines, asked, options
        self._costs: dict[str, Cost] = {}
        self.done = 0
        self.failures: list[PlannerError] = []
        self.interrupted = False

    def run(self, show: Show, report: Report) -> None:
        """Show every result as soon as those before it are there; Ctrl-C ends it, and what was spent is logged."""
        try:
            asyncio.run(self._run(show, report))
        except KeyboardInterrupt:
            self.interrupted = True

    async def _run(self, show: Show, report: Report) -> None:
        options, total = self._options, len(self._lines)

        def note(run_id: str, cost: Cost) -> None:
            self._costs[run_id] = cost
            report(self.done, total, self._spent())

        how = How(
            adapt=not options["no_adapt"] and not self._asked.names_arms,
            extract=options["extract"],
            grade=options["grade"],
            choose=options["choose"],
            seed=options["run_seed"],
        )
        opened = self._planner.running(
            options["endpoint"], max_concurrency=options["concurrency"], total=self._asked.total
        )
        async with opened as running:
            results = running.run_all(self._plans(), self._asked.budget, how=how, on_spent=note)
            for line in self._lines:
                result = await anext(results)
                self.done += 1
                if isinstance(result, PlannerError):
                    self.failures.append(result)
                show(line, result)
                report(self.done, total, self._spent())

    def _plans(self) -> Iterator[PlannerError | tuple[Asked, Recommendation]]:
        """A plan for each line, or why it has none; made when they are needed."""
        for _, part in self._asked.chunks(self._lines):
            good = [Asked.of(line.prompt) for line in part if line.prompt is not None]
            batch = [one.planned for one in good]
            plans = self._planner.recommend_batch(batch, self._asked.budget, **self._asked.for_batch) if good else []
            planned = iter(zip(good, plans, strict=True))
            for line in part:
                if line.error is not None:
                    yield line.error
                    continue
                one, plan = next(planned)
                yield plan if isinstance(plan, PlannerError) else (one, plan)

    def _spent(self) -> str:
        """What all runs have spent so far: in tokens, and in USD where every price is known."""
        costs = self._costs.values()
        tokens = sum(cost.tokens or 0 for cost in costs)
        prices = [cost.usd for cost in costs if cost.usd is not None]
        dollars = f", {sum(prices):.4g} USD" if prices and len(prices) == len(costs) else ""
        return f"running: {tokens:,.0f} tokens{dollars} so far"
