"""Sweeps over a few questions at a scripted endpoint."""

from __future__ import annotations

import asyncio
import random

from scripted_endpoint import CARDS, Scripted

from planner.core import Completion, Conventions, Endpoint, Generate, Message, ModelCard
from planner.execution.explore import Design, Question, Sweep, SweepReport
from planner.execution.run_log import RunLog
from planner.execution.runner import Runner
from planner.store import Store

ALL_CARDS = CARDS | {"large": ModelCard(name="large", active_params=9e6), "other": ModelCard(name="other")}


def answering(request: Generate, number: int) -> tuple[Completion, ...]:
    """Two steps and an answer, right about half of the time, but for prompt 0, which is easy."""
    rng = random.Random(f"{request.seed} {number}")
    easy = request.messages[0].content == "How many? 0"
    return tuple(
        Completion(
            "one step\nanother\nAnswer: " + ("7" if easy or rng.random() < 0.5 else "8"),
            ended=True,
            prompt_tokens=5,
            completion_tokens=10,
        )
        for _ in range(request.n)
    )


def questions(n: int) -> list[Question]:
    texts = [f"How many? {i}" for i in range(n)]
    return [Question(text, f"p{i}", (Message("user", text),), "7", "fresh") for i, text in enumerate(texts)]


def sweep(
    store: Store, endpoint: Endpoint, design: Design, n: int = 3, *, store_texts: bool = True, **options
) -> SweepReport:
    asked = options.pop("asked", None) or questions(n)

    async def run() -> SweepReport:
        log = RunLog(store, store_texts=store_texts)
        runner = Runner(endpoint, log, ALL_CARDS, default_extract="answer_line")
        return await Sweep(design, asked, runner, **options).run()

    return asyncio.run(run())


def lines() -> Scripted:
    return Scripted(reply=answering, conventions=Conventions(step_separator="\n"))


SMALL = Design(generators=("small",), samples=8)
