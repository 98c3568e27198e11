"""The NumPy models give what torch and transformers make of the same weights (make_reference.py)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from planner.core import Generate, Message, Verify
from planner.lab import LabEndpoint
from planner.lab.llama import Llama
from planner.lab.prefixes import Prefixes, lines
from planner.lab.sampling import log_softmax
from planner.lab.tokenizer import BOS, tokenizer
from planner.lab.weights import load

CASES = json.loads((Path(__file__).parent / "data" / "reference.json").read_text("utf-8"))
GENERATORS = {"lab-small": "small", "lab-large": "large", "lab-reviser": "revision"}


def question(case) -> tuple[Message, ...]:
    return (Message("user", case["prompt"]),)


def greedy(requests: list[Generate]) -> list[str]:
    async def ask():
        endpoint = LabEndpoint()
        try:
            return await asyncio.gather(*(endpoint.generate(request) for request in requests))
        finally:
            await endpoint.aclose()

    return [completion.text for (completion,) in asyncio.run(ask())]


@pytest.mark.parametrize("generator", sorted(GENERATORS))
def test_greedy_texts_are_those_of_torch(generator: str):
    texts = greedy([Generate(generator, question(case), temperature=0.0) for case in CASES])
    assert texts == [case["greedy"][generator]["text"] for case in CASES]


def test_the_reviser_reads_its_attempt_as_in_torch():
    conversations = [
        (
            *question(case),
            Message("assistant", case["greedy"]["lab-reviser"]["text"]),
            Message("user", "Revise:"),
        )
        for case in CASES
    ]
    texts = greedy([Generate("lab-reviser", messages, temperature=0.0) for messages in conversations])
    assert texts == [case["revised"]["text"] for case in CASES]


@pytest.mark.parametrize("generator", sorted(GENERATORS))
def test_log_probabilities_of_a_whole_text_are_those_of_torch(generator: str):
    told: list[np.ndarray] = []
    words = tokenizer()
    prefixes = Prefixes(
        Llama(load(GENERATORS[generator])),
        on_read=lambda nodes, logits: told.extend(
            zip([t for n in nodes for t in n.line], log_softmax(logits), strict=True)
        ),
    )
    for case in CASES:
        told.clear()
        expected = case["greedy"][generator]
        prompt = [BOS, *words.encode(case["prompt"] + "\n")]
        prefixes.read([lines([*prompt, *expected["tokens"]], words.newline)])
        own = [row[token] for token, row in told[-len(expected["tokens"]) :]]
        np.testing.assert_allclose(own, expected["logprobs"], atol=1e-4)


def test_step_scores_are_those_of_torch():
    async def ask():
        endpoint = LabEndpoint()
        requests = [
            Verify("lab-prm", question(case), tuple(scored["answer"] for scored in case["scored"])) for case in CASES
        ]
        return await asyncio.gather(*(endpoint.verify(request) for request in requests))

    for case, verdicts in zip(CASES, asyncio.run(ask()), strict=True):
        for scored, verdict in zip(case["scored"], verdicts, strict=True):
            np.testing.assert_allclose(verdict.step_scores, scored["step_scores"], atol=1e-3)
            assert verdict.score == verdict.step_scores[-1]
