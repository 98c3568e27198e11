"""Probe, then plan: one prompt's budget spent step by step, each step planned on what came back before."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from planner.core import Arm, Budget, Recommendation, Sample
from planner.errors import InvalidInput
from planner.policy import Policy, PromptInput
from planner.strategies.carrying_out import carry_out
from planner.strategies.pool import Replies, Requests, Result
from planner.strategies.task import Task

SEARCH = "session"


def session(
    task: Task, policy: Policy, asked: PromptInput, budget: Budget, *, plan: Recommendation | None = None
) -> Generator[Requests, Replies, Result]:
    """Answer one prompt within `budget`: requests come out, replies go in, and the result is returned.

    The result's arm is of search `session`; its `params` tell what was done: `probes`, samples that were drawn before
    the rest was planned, and `stages`, one {generator, verifier, draw, n} for each run of like draws.
    plan: the recommendation to begin with, where the caller has one already.

    Raises InvalidInput, at once, for a budget that nothing fits.
    """
    recommended = plan or policy.recommend([asked], budget)[0]
    if isinstance(recommended, InvalidInput):
        raise recommended
    return _as_planned(carry_out(recommended.arm, task))


def _as_planned(search: Generator[Requests, Replies, Result]) -> Generator[Requests, Replies, Result]:
    result = yield from search
    return replace(result, arm=session_arm(result.arm, result.samples, probes=0))


def session_arm(first: Arm, samples: Sequence[Sample], *, probes: int) -> Arm:
    """What a session that began as `first` came to be; it is logged under this name."""
    return Arm(
        generator=first.generator,
        verifier=first.verifier,
        search=SEARCH,
        selection=first.selection,
        breadth=max(len(samples), 1),
        params={"probes": probes, "stages": stages_of(samples)},
    )


def stages_of(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Runs of like draws, in order."""
    stages: list[dict[str, object]] = []
    counts: list[int] = []
    for sample in samples:
        kind: dict[str, object] = {
            "generator": sample.generator,
            "verifier": sample.verifier,
            "draw": "attempts" if sample.attempt else "samples",
        }
        if stages and stages[-1] == kind:
            counts[-1] += 1
        else:
            stages.append(kind)
            counts.append(1)
    return [kind | {"n": n} for kind, n in zip(stages, counts, strict=True)]
