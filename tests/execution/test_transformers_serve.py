"""A real server that nobody here wrote: `transformers serve` with the lab's models.

It ignores `n`, answers 500 to `stop`, refuses continue_final_message, and lists no models. `make test-servers` runs
these tests: they need a server's environment of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from planner.core import Arm, Conventions, Endpoint, Generate, Message
from planner.errors import EndpointError
from planner.execution.answers import reading
from planner.execution.driver import drive
from planner.execution.meter import Meter
from planner.execution.openai import OpenAIEndpoint
from planner.execution.openai.capabilities import Capabilities
from planner.execution.routed import RoutedEndpoint
from planner.lab import LabEndpoint
from planner.lab.problems import Problem, problems
from planner.strategies import Result, Task, carry_out

pytestmark = pytest.mark.servers

WEIGHTS = Path(__file__).resolve().parents[2] / "planner" / "lab" / "weights"
CONVENTIONS = Conventions(step_separator="\n", revision_instruction="Revise:", temperature=0.8, max_tokens=130)
PROBLEMS = problems(24, seed=11)
START_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """A running server, and folders of the models that it loads by name."""

    url: str
    small: str
    reviser: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = os.environ.get("PLANNER_TEST_TRANSFORMERS") or shutil.which("transformers")
    if program is None:
        pytest.skip("`transformers serve` is not here: run `make test-servers`")
    folder = tmp_path_factory.mktemp("transformers")
    small, reviser = (_model_folder(folder, name) for name in ("small", "revision"))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    command = [program, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield Server(f"http://127.0.0.1:{port}/v1", small, reviser)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _model_folder(folder: Path, name: str) -> str:
    """One of the package's models in the layout that transformers loads, sampling as told rather than greedily."""
    made = folder / name
    shutil.copytree(WEIGHTS / name, made)
    for shared in ("tokenizer.json", "chat_template.jinja"):
        shutil.copy(WEIGHTS / shared, made)
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>",
        "unk_token": "<unk>", "clean_up_tokenization_spaces": False, "model_max_length": 1024,
    }  # fmt: skip
    (made / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    generation = {"do_sample": True, "top_k": 0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    (made / "generation_config.json").write_text(json.dumps(generation))
    return str(made)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


def carried_out(arm: Arm, endpoint: Endpoint, chosen: Sequence[Problem]) -> list[Result]:
    read = reading("auto")

    async def one(seed: int, problem: Problem) -> Result:
        task = Task(
            messages=(Message("user", problem.prompt),),
            extract=read.extract,
            answered=read.answered,
            seed=seed,
            conventions=CONVENTIONS,
        )
        return await drive(carry_out(arm, task), endpoint, Meter(None, {}))

    async def run() -> list[Result]:
        try:
            return [await one(seed, problem) for seed, problem in enumerate(chosen)]
        finally:
            await endpoint.aclose()

    return asyncio.run(run())


def accuracy(arm: Arm, endpoint: Endpoint, chosen: Sequence[Problem]) -> float:
    results = carried_out(arm, endpoint, chosen)
    return sum(result.answer == problem.reference for result, problem in zip(results, chosen, strict=True)) / len(
        chosen
    )


def at(server: Server) -> OpenAIEndpoint:
    # The template puts <bos> in front, which the completions route leaves to the caller.
    def flatten(messages: tuple[Message, ...], prefix: str) -> str:
        return "<bos>" + "".join(f"{message.content}\n" for message in messages) + prefix

    return OpenAIEndpoint(server.url, conventions=CONVENTIONS, flatten=flatten)  # type: ignore[arg-type]


def with_verifier(server: Server) -> RoutedEndpoint:
    return RoutedEndpoint(at(server), {"lab-prm": LabEndpoint()})


def test_samples_differ_and_are_counted(server: Server):
    [result] = carried_out(Arm(generator=server.small, selection="majority_vote", breadth=8), at(server), PROBLEMS[:1])
    assert len(result.samples) == 8
    assert len({sample.text for sample in result.samples}) > 1
    assert all(sample.prompt_tokens and sample.completion_tokens for sample in result.samples)


def test_most_single_samples_are_right(server: Server):
    assert 0.5 <= accuracy(Arm(generator=server.small), at(server), PROBLEMS) <= 0.98


def test_a_reviser_goes_over_its_attempts(server: Server):
    arm = Arm(generator=server.reviser, selection="majority_vote", breadth=1, depth=3)
    [result] = carried_out(arm, at(server), PROBLEMS[:1])
    assert [sample.attempt for sample in result.samples] == [0, 1, 2]


def test_beam_search_finds_answers_step_by_step(server: Server):
    arm = Arm(
        generator=server.small, verifier="lab-prm", search="beam_search", selection="weighted_vote", breadth=4,
        params={"beam_width": 2},
    )  # fmt: skip
    assert accuracy(arm, with_verifier(server), PROBLEMS[:10]) >= 0.7


def test_what_the_server_does_not_bear_is_known_after_the_first_requests(server: Server):
    async def run() -> Capabilities:
        endpoint = at(server)
        asked = Generate(server.small, (Message("user", PROBLEMS[0].prompt),), n=2, stop=("\n",), seed=1, max_tokens=50)
        await endpoint.generate(asked)
        await endpoint.generate(Generate(server.small, asked.messages, n=2, prefix="12 + 3 = 15\n", seed=1))
        await endpoint.aclose()
        return endpoint.capabilities(server.small)

    assert asyncio.run(run()) == Capabilities(most_choices=1, stop=False, continuation="completions")


def test_an_unknown_model_is_an_error_that_names_it(server: Server):
    async def run() -> None:
        endpoint = at(server)
        try:
            with pytest.raises(EndpointError, match="no-such-model"):
                await endpoint.generate(Generate("no-such-model", (Message("user", "hi"),)))
        finally:
            await endpoint.aclose()

    asyncio.run(run())
