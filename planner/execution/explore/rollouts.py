"""Rollouts from the steps of a logged answer: how often each beginning of it is brought to a right end."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace

from planner.core import Arm, Generate, Run, Sample
from planner.execution.explore.design import run_id
from planner.formats.exports.steps import prefix, step_separator, steps
from planner.strategies.drawing import answers, as_sample, completions
from planner.strategies.parameters import Settings
from planner.strategies.pool import Interrupted, Pool, Replies, Requests, Result
from planner.strategies.task import Task

SEARCH = "rollouts"
"""Runs of it are no answers to their prompts: no curve and no fit reads them."""


@dataclass(frozen=True)
class Solution:
    """A logged answer with its text, and where it stands."""

    rollout_of: str
    chain: int
    attempt: int
    text: str
    arm: Arm

    @classmethod
    def of(cls, run: Run, sample: Sample, rollouts: int, separator: str) -> Solution:
        """The solution, with the arm that its rollouts are logged as."""
        text = sample.text or ""
        separator = separator_of(text, separator)
        n_steps = len(steps(text, separator))
        of = run.run_id or ""
        where = {"rollout_of": of, "chain": sample.chain, "attempt": sample.attempt}
        settings = {name: run.params[name] for name in Settings.model_fields if name in run.params}
        arm = Arm(
            generator=sample.generator or run.generator,
            search=SEARCH,
            breadth=max(1, rollouts * (n_steps - 1)),
            params={**where, "rollouts": rollouts, "step_separator": separator, **settings},
        )
        return cls(of, sample.chain, sample.attempt, text, arm)

    @property
    def run_id(self) -> str:
        """Always the same for one solution and number of rollouts."""
        return run_id(self.rollout_of, self.chain, self.attempt, self.arm.params["rollouts"])


def roll_out(solution: Solution, task: Task) -> Generator[Requests, Replies, Result]:
    """Go on from every step but the last, so many times each; a sample's `stage` counts the steps that it began with.

    Source: Wang et al. 2023, "Math-Shepherd", arXiv 2312.08935.
    """
    pool, interrupted = Pool(), None
    try:
        yield from _drawn(solution, task, pool)
    except Interrupted as stop:
        interrupted = str(stop) or "interrupted"
    return Result(solution.arm, tuple(pool.samples), 0 if pool.samples else None, interrupted)


def _drawn(solution: Solution, task: Task, pool: Pool) -> Generator[Requests, Replies, None]:
    params = solution.arm.params
    settings = Settings(**{name: params[name] for name in Settings.model_fields if name in params})
    separator, rollouts = params["step_separator"], params["rollouts"]
    prefixes = [prefix(solution.text, separator, n) for n in range(1, len(steps(solution.text, separator)))]
    replies = yield tuple(_from(solution, task, beginning, rollouts, settings) for beginning in prefixes)
    for step, (beginning, reply) in enumerate(zip(prefixes, replies, strict=True), 1):
        for number, one in enumerate(completions(reply)):
            chain = (step - 1) * rollouts + number
            pool.add(as_sample(task, one, generator=solution.arm.generator, prefix=beginning, chain=chain, stage=step))


def _from(solution: Solution, task: Task, beginning: str, rollouts: int, settings: Settings) -> Generate:
    asked = answers(task, solution.arm.generator, rollouts, place=("rollouts", beginning), settings=settings)
    return replace(asked, prefix=beginning)


def worth_rolling_out(runs: Iterable[Run], per_prompt: int, separator: str) -> dict[str, list[tuple[Run, Sample]]]:
    """By prompt, the solutions to take: right and wrong ones by turns, with a text of two steps or more."""
    found: dict[str, tuple[list[tuple[Run, Sample]], list[tuple[Run, Sample]]]] = {}
    seen: set[tuple[str, str]] = set()
    for run in sorted(runs, key=lambda one: one.run_id or ""):
        prompt_id = run.prompt_id or ""
        for sample in run.samples:
            text = sample.text or ""
            n_steps = len(steps(text, separator_of(text, separator)))
            if sample.correct is None or n_steps < 2 or (prompt_id, text) in seen:
                continue
            seen.add((prompt_id, text))
            found.setdefault(prompt_id, ([], []))[sample.correct > 0.5].append((run, sample))
    return {prompt_id: _by_turns(*sides)[:per_prompt] for prompt_id, sides in found.items()}


def separator_of(text: str, separator: str) -> str:
    """The endpoint's separator of steps where the text has any; else the one that the text seems to use."""
    return separator if separator in text.strip() else step_separator(text)


def _by_turns(a: Sequence[tuple[Run, Sample]], b: Sequence[tuple[Run, Sample]]) -> list[tuple[Run, Sample]]:
    shared = min(len(a), len(b))
    return [one for pair in zip(a, b, strict=False) for one in pair] + [*a[shared:], *b[shared:]]
