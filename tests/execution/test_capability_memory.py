"""What was learned of a server is remembered from one process to the next."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from serving import question, refusing, serving

from planner.execution.openai import OpenAIEndpoint
from planner.execution.openai.capabilities import Capabilities, CapabilityMemory


def test_what_was_learned_is_there_for_the_next_process(tmp_path: Path):
    memory = tmp_path / "cache" / "capabilities.json"
    act = refusing("stop", "seed", words="{name} is unknown")

    async def run() -> tuple[int, int]:
        async with serving(act, memory=memory) as (endpoint, server):
            await endpoint.generate(question(stop=("\n",), seed=1))
            before = len(server.seen)
            later = OpenAIEndpoint(server.url, memory=memory)
            await later.generate(question(stop=("\n",), seed=1))
            await later.aclose()
            return before, len(server.seen) - before

    assert asyncio.run(run()) == (3, 1)


def test_two_processes_do_not_forget_what_the_other_learned(tmp_path: Path):
    one, other = (CapabilityMemory(tmp_path / "known.json") for _ in range(2))
    assert one.of("s", "a") == other.of("s", "b") == Capabilities()
    one.learn("s", "a", stop=False)
    other.learn("s", "b", seed=False)
    later = CapabilityMemory(tmp_path / "known.json")
    assert (later.of("s", "a").stop, later.of("s", "b").seed) == (False, False)


def test_what_was_learned_is_forgotten_after_a_month(tmp_path: Path):
    CapabilityMemory(tmp_path / "known.json", now=lambda: 0.0).learn("s", "m", stop=False)
    assert not CapabilityMemory(tmp_path / "known.json", now=lambda: 29 * 86_400.0).of("s", "m").stop
    assert CapabilityMemory(tmp_path / "known.json", now=lambda: 31 * 86_400.0).of("s", "m").stop


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b'{"s m": 1}', b'{"s m": {"learned_at": "x", "capabilities": {}}}',
     json.dumps({"s m": {"learned_at": 9e9, "capabilities": {"unknown": 1}}}).encode(),
     json.dumps({"s m": {"learned_at": 9e9, "capabilities": {"most_choices": -1}}}).encode(),
     json.dumps({"s m": {"learned_at": 9e9, "capabilities": {"stop": "no"}}}).encode()],
)  # fmt: skip
def test_a_memory_that_cannot_be_read_is_learned_anew(tmp_path: Path, content: bytes):
    file = tmp_path / "known.json"
    file.write_bytes(content)
    memory = CapabilityMemory(file)
    assert memory.of("s", "m") == Capabilities()
    memory.learn("s", "m", seed=False)
    assert not CapabilityMemory(file).of("s", "m").seed


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / "file").write_text("")
    memory = CapabilityMemory(tmp_path / "file" / "known.json")
    memory.learn("s", "m", seed=False)
    assert not memory.of("s", "m").seed
