"""The embedded models are as good as their logs say."""

from __future__ import annotations

import asyncio
from importlib.resources import as_file, files

import numpy as np
import pytest
from pyarrow import parquet

from planner.core import Generate, Message, Verify
from planner.lab import LabEndpoint

SAMPLES = {"lab-small": 8, "lab-large": 4, "lab-reviser": 4}


@pytest.fixture(scope="module")
def logged() -> dict[str, np.ndarray]:
    with as_file(files("planner.lab") / "logs" / "lab.samples.parquet") as path:
        return parquet.read_table(path).to_pydict()


def prompts_of(logged) -> dict[str, tuple[str, str]]:
    return {
        i: (prompt, reference)
        for i, prompt, reference in zip(logged["prompt_id"], logged["prompt"], logged["reference"], strict=True)
        if prompt is not None
    }


@pytest.mark.parametrize("generator", sorted(SAMPLES))
def test_pass_rates_on_the_logged_prompts_agree_with_the_logs(lab: LabEndpoint, logged, generator: str):
    prompts = prompts_of(logged)
    if generator == "lab-large":
        prompts = dict(list(prompts.items())[::4])

    async def run():
        requests = (
            Generate(generator, (Message("user", prompt),), n=SAMPLES[generator], seed=i, temperature=0.8)
            for i, (prompt, _) in enumerate(prompts.values())
        )
        return await asyncio.gather(*map(lab.generate, requests))

    live = np.array(
        [
            [completion.text.rsplit("Answer: ", 1)[-1] == reference for completion in completions]
            for completions, (_, reference) in zip(asyncio.run(run()), prompts.values(), strict=True)
        ]
    )
    rates = {i: [] for i in prompts}
    rows = zip(logged["prompt_id"], logged["generator"], logged["attempt"], logged["correct"], strict=True)
    for i, name, attempt, correct in rows:
        if name == generator and attempt == 0 and i in rates:
            rates[i].append(correct)
    there = np.array([np.mean(rates[i]) for i in prompts])
    variance = there * (1 - there)
    counts = np.array([len(rates[i]) for i in prompts])
    error = np.sqrt((variance / live.shape[1] + variance / counts).sum()) / len(prompts)
    assert abs(live.mean() - there.mean()) < 3 * error


def test_scores_tell_right_from_wrong_as_in_the_logs(lab: LabEndpoint, logged):
    """The logs' AUC within a prompt is .940 for samples of lab-small."""
    prompts = list(prompts_of(logged).values())[::5]

    async def one(place: int, prompt: str, reference: str) -> list[tuple[float, bool]]:
        messages = (Message("user", prompt),)
        completions = await lab.generate(Generate("lab-small", messages, n=16, seed=place, temperature=0.8))
        verdicts = await lab.verify(Verify("lab-prm", messages, tuple(c.text for c in completions)))
        return [
            (verdict.score, completion.text.rsplit("Answer: ", 1)[-1] == reference)
            for verdict, completion in zip(verdicts, completions, strict=True)
        ]

    async def run():
        return await asyncio.gather(*(one(place, *pair) for place, pair in enumerate(prompts)))

    pairs = [
        (right > wrong) + 0.5 * (right == wrong)
        for scored in asyncio.run(run())
        for right, good in scored
        for wrong, bad in scored
        if good and not bad
    ]
    assert 0.88 < np.mean(pairs) < 0.99
