"""The part of the facade that carries plans out."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from planner.api.asked import Asked
from planner.api.recommending import Recommending, each
from planner.core import Budget, Recommendation
from planner.core.arguments import check_budget, check_text, prompts_of
from planner.errors import InvalidInput, PlannerError
from planner.policy.chat import Described

if TYPE_CHECKING:
    from planner.api.running import How, Running
    from planner.core import Conventions, Endpoint, RunResult
    from planner.execution.runner import OnSpent
    from planner.strategies.pool import Replies, Requests, Result

T = TypeVar("T")


class Executing(Recommending):
    """Carries plans out at an endpoint, and logs what came of them."""

    def running(
        self,
        endpoint: str | Endpoint | None = None,
        *,
        verifiers: Mapping[str, Any] | None = None,
        max_concurrency: int | None = None,
        total: Budget | None = None,
    ) -> Running:
        """An endpoint held open, for many runs in one event loop: `async with planner.running(url) as running: ...`.

        endpoint: a URL, `lab`, or one of your own (which is not closed); default: PLANNER_ENDPOINT_URL.
        verifiers: by name, functions `(prompt, answer) -> score`, `module:function`, `command:...`, `judge:MODEL`, a
        URL. total: ceilings of all runs together.
        """
        from planner.api.running import Running  # noqa: PLC0415 - nothing of it is needed to plan

        return Running(self, endpoint, verifiers=verifiers, max_concurrency=max_concurrency, total=total)

    def run(
        self,
        plan_or_prompt: Recommendation | Described,
        budget: Budget | None = None,
        **options: Any,  # noqa: ANN401 - those of `arun`
    ) -> RunResult:
        """`arun`, for callers that are not async."""
        return waited_for(self.arun(plan_or_prompt, budget, **options))

    async def arun(
        self,
        plan_or_prompt: Recommendation | Described,
        budget: Budget | None = None,
        *,
        endpoint: str | Endpoint | None = None,
        adapt: bool = True,
        reference: str | None = None,
        extract: str | None = None,
        grade: str | None = None,
        choose: str | None = None,
        seed: int | None = None,
        prompt: Described | None = None,
        verifiers: Mapping[str, Any] | None = None,
        max_concurrency: int | None = None,
        on_spent: OnSpent | None = None,
        **planned: Any,  # noqa: ANN401 - those of `recommend`, for a prompt that has no plan yet
    ) -> RunResult:
        """Carry out a plan, or plan for a prompt and carry that out; keep its ceilings, grade and log it.

        adapt: plan the rest anew as answers come in; a plan whose arm is forced, and one without a budget, is carried
        out as it is. prompt: of a plan that another process made. reference: the right answer; without one nothing is
        graded. extract, grade: names of extractor and grader. choose: name of a selection in place of the plan's, such
        as `medoid` for free text; the plan is then carried out as it is. endpoint, verifiers: see `running`. planned:
        as for `recommend`.

        Raises InvalidInput before anything is spent where it cannot be carried out, EndpointError where no answer
        could be had; what was spent is logged in any case.
        """
        check_budget("budget", budget)
        if isinstance(plan_or_prompt, Recommendation):
            if planned:
                raise InvalidInput(f"{min(planned)} is for a prompt that has no plan yet")
            plan, asked = plan_or_prompt, self._asked_for(plan_or_prompt, prompt)
        else:
            asked = Asked.of(_with_members(plan_or_prompt, planned))
            plan = self._planned(asked, budget, planned)
            adapt = adapt and not _restricted(planned)
        if reference is not None:
            check_text("reference", reference)
            asked = replace(asked, reference=reference)
        how = _how(adapt=adapt, extract=extract, grade=grade, choose=choose, seed=seed)
        async with self.running(endpoint, verifiers=verifiers, max_concurrency=max_concurrency) as running:
            return await running.run(plan, asked, budget, how=how, on_spent=on_spent)

    def run_batch(
        self,
        prompts: Sequence[Described],
        budget: Budget | None = None,
        *,
        total: Budget | None = None,
        endpoint: str | Endpoint | None = None,
        adapt: bool = True,
        extract: str | None = None,
        grade: str | None = None,
        choose: str | None = None,
        verifiers: Mapping[str, Any] | None = None,
        max_concurrency: int | None = None,
        on_spent: OnSpent | None = None,
        **options: Any,  # noqa: ANN401 - those of `recommend_batch`
    ) -> list[RunResult | PlannerError]:
        """Plan for prompts and carry the plans out, side by side; one result a prompt, in order, errors as values.

        A prompt is text, chat messages or {prompt, prompt_id?, reference?, dataset?, metadata?, probes?}. `total` (one
        ceiling) is spent over all of them, and kept. All else as for `arun`.
        """

        async def all_of_them() -> list[RunResult | PlannerError]:
            opened = self.running(endpoint, verifiers=verifiers, max_concurrency=max_concurrency, total=total)
            async with opened as running:
                asked = each(prompts_of(prompts), Asked.of)
                plans = self.recommend_batch([one.planned for one in asked], budget, total=total, **options)
                how = _how(adapt=adapt and not _restricted(options), extract=extract, grade=grade, choose=choose)
                planned = [
                    (one, p) if isinstance(p, Recommendation) else p for one, p in zip(asked, plans, strict=True)
                ]
                runs = running.run_all(planned, budget, how=how, on_spent=on_spent)
                return [result async for result in runs]

        return waited_for(all_of_them())

    def session(
        self,
        prompt: Described,
        budget: Budget,
        *,
        conventions: Conventions | None = None,
        extract: str = "auto",
        seed: int = 0,
    ) -> Generator[Requests, Replies, Result]:
        """Probe, then plan, as a generator without I/O: it yields `Generate` and `Verify` requests and takes replies.

        conventions: how the models are spoken to (an endpoint's `conventions`). extract: name of the extractor.
        Its result keeps every candidate and the chosen one. Nothing is logged, and no ceiling is kept but by who
        answers it. Raises InvalidInput, at once, for a budget that nothing fits.
        """
        from planner.core import Conventions  # noqa: PLC0415 - nothing of it is needed to plan
        from planner.execution.answers import reading  # noqa: PLC0415
        from planner.execution.session import session  # noqa: PLC0415
        from planner.strategies.task import Task  # noqa: PLC0415

        check_budget("budget", budget)
        asked, read = Asked.of(prompt), reading(extract)
        task = Task(
            asked.messages,
            read.extract,
            read.answered,
            seed=seed,
            cards=self.policy.models,
            conventions=conventions or Conventions(),
        )
        return session(task, self.policy, asked.input, budget)

    def _asked_for(self, plan: Recommendation, prompt: Described | None) -> Asked:
        """The prompt of a plan. Raises InvalidInput where it is not known, or another's."""
        if prompt is None:
            remembered = self._asked.get(plan.recommendation_id)
            if remembered is None:
                raise InvalidInput(
                    f"the prompt of plan {plan.recommendation_id} is not known here: give it with prompt=..."
                )
            return remembered
        asked = Asked.of(prompt)
        # A plan made elsewhere stands for its prompt_id: the run is logged on that.
        return replace(asked, input=replace(asked.input, prompt_id=plan.prompt_id))

    def _planned(self, asked: Asked, budget: Budget | None, options: Mapping[str, Any]) -> Recommendation:
        given = asked.input
        return self.recommend(
            asked.chat,
            budget,
            prompt_id=given.prompt_id,
            dataset=given.dataset,
            metadata=given.metadata,
            probes=given.probes,
            **{name: value for name, value in options.items() if name not in _MEMBERS},
        )


_MEMBERS = frozenset({"prompt_id", "dataset", "metadata", "probes"})
_RESTRICTIONS = ("arm", "generators", "searches", "selections")


def _with_members(prompt: Described, options: Mapping[str, Any]) -> Described:
    """The prompt with what the options say of it."""
    members = {name: value for name, value in options.items() if name in _MEMBERS}
    if not members:
        return prompt
    return {**(prompt if isinstance(prompt, Mapping) else {"prompt": prompt}), **members}


def _restricted(options: Mapping[str, Any]) -> bool:
    """Whether arms were asked for by name: a session would choose among all."""
    return any(options.get(name) for name in _RESTRICTIONS)


def _how(**members: Any) -> How:  # noqa: ANN401 - of `How`
    from planner.api.running import How  # noqa: PLC0415 - nothing of it is needed to plan

    return How(**members)


def waited_for(work: Coroutine[Any, Any, T]) -> T:
    """What an async function returns, also where an event loop is running already, as in a notebook."""
    import asyncio  # noqa: PLC0415 - its import takes as long as a recommendation may

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only there

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
