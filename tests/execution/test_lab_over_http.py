"""The lab's server through the endpoint for any server is the lab's endpoint in process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.core import Arm, Completion, Endpoint, Generate, Message, Verify
from planner.execution.driver import drive
from planner.execution.meter import Meter
from planner.execution.openai import OpenAIEndpoint
from planner.execution.openai.capabilities import Capabilities
from planner.formats.answers import answer_line
from planner.lab import LabEndpoint
from planner.lab.problems import problems
from planner.lab.server.app import create_app
from planner.strategies import Result, Task, carry_out

PROBLEM = problems(1, seed=4)[0]
ASKED = (Message("user", PROBLEM.prompt),)
REVISED = (*ASKED, Message("assistant", PROBLEM.solution), Message("user", "Revise:"))
FIRST_STEP = PROBLEM.solution.split("\n")[0] + "\n"


def over_http(use: Callable[[OpenAIEndpoint], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        endpoint = OpenAIEndpoint("http://lab", app=create_app(), conventions=LabEndpoint().conventions)
        return await use(endpoint), endpoint.capabilities("lab-small")

    return asyncio.run(run())


def told(completions: tuple[Completion, ...]) -> list[Completion]:
    """What both must say alike: all but times, and who bears the prompt's bill."""
    return [replace(each, latency_seconds=None, billed_prompt_tokens=None) for each in completions]


@pytest.mark.parametrize(
    "request_",
    [
        Generate("lab-small", ASKED, n=3, seed=5),
        Generate("lab-small", ASKED, n=4, seed=5, stop=("\n",)),
        Generate("lab-large", ASKED, n=2, seed=5, stop=("\n",), prefix=FIRST_STEP),
        Generate("lab-small", ASKED, n=2, seed=5, max_tokens=4),
        Generate("lab-small", ASKED, seed=5, temperature=0.0),
        Generate("lab-reviser", REVISED, n=2, seed=1),
    ],
)
def test_completions_are_those_of_the_endpoint_in_process(request_: Generate):
    served, known = over_http(lambda endpoint: endpoint.generate(request_))
    assert [each.text for each in served] == [each.text for each in asyncio.run(LabEndpoint().generate(request_))]
    assert sum(each.completion_tokens for each in served) == sum(
        each.completion_tokens for each in asyncio.run(LabEndpoint().generate(request_))
    )
    assert known == Capabilities()


def test_ends_and_prompts_are_told_as_in_process():
    request = Generate("lab-small", ASKED, seed=5, stop=("\n",), prefix=FIRST_STEP)
    served, _ = over_http(lambda endpoint: endpoint.generate(request))
    assert told(served) == told(asyncio.run(LabEndpoint().generate(request)))


def test_verdicts_are_those_of_the_endpoint_in_process():
    request = Verify("lab-prm", ASKED, (FIRST_STEP, PROBLEM.solution, "Answer: 1"))
    served, _ = over_http(lambda endpoint: endpoint.verify(request))
    own = asyncio.run(LabEndpoint().verify(request))
    for there, here in zip(served, own, strict=True):  # not to the bit: threads add up in any order
        assert there.step_scores == pytest.approx(here.step_scores, abs=1e-6)
        assert there.score == pytest.approx(here.score, abs=1e-6)
    assert sum(verdict.tokens or 0 for verdict in served) == sum(verdict.tokens or 0 for verdict in own)


def test_a_beam_search_finds_the_same_answers():
    arm = Arm(
        generator="lab-small", verifier="lab-prm", search="beam_search", selection="weighted_vote", breadth=4,
        params={"beam_width": 2},
    )  # fmt: skip

    async def search(endpoint: Endpoint) -> Result:
        task = Task(
            messages=ASKED,
            extract=answer_line,
            answered=lambda text: answer_line(text) is not None,
            conventions=endpoint.conventions,
        )
        return await drive(carry_out(arm, task), endpoint, Meter(None, {}))

    served, _ = over_http(search)
    own = asyncio.run(search(LabEndpoint()))
    assert [sample.text for sample in served.samples] == [sample.text for sample in own.samples]
    assert served.answer == own.answer
