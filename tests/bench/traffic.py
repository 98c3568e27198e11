"""Clients of all kinds that check every answer, for `make endure`."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from planner import Budget, Planner, Recommendation
from tests.bench.load import Server
from tests.bench.scripted import answer_of
from tests.bench.speed import text

CLIENTS = 8
REQUESTS_A_SECOND = 60.0
BACK_SECONDS = 10.0
"""So long after a break an error may still be answered."""
BUDGET = {"max_generations": 8}
SKIPPED = {"recommendation_id"}
EXCUSED = {429, 500, 502, 503, 504}


@dataclass
class Break:
    """Something was ended; `over` when it was there again, for a worker at once since the others serve on."""

    what: str
    over: float | None = None

    def seconds_since(self) -> float:
        """0 while it lasts."""
        return 0.0 if self.over is None else time.monotonic() - self.over


@dataclass
class Seen:
    """What the clients met."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    late_errors: list[str] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    graded: set[str] = field(default_factory=set)
    carried_out: set[str] = field(default_factory=set)
    made: dict[str, str] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)
    memory: list[tuple[float, int, float]] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)

    def failed(self, what: str) -> None:
        """An error, which only a break that was not long ago excuses."""
        self.answers["errors"] += 1
        since = min((one.seconds_since() for one in self.breaks), default=float("inf"))
        if since < BACK_SECONDS:
            self.recovered.append(since)
        else:
            self.late_errors.append(what)


@dataclass
class Traffic:
    """Clients that ask all kinds of things, and check each answer against a planner of their own."""

    server: Server
    planner: Planner
    seen: Seen
    seed: int
    end: float

    async def client(self, number: int) -> None:
        """One client until the end."""
        chance = random.Random(f"{self.seed}-{number}")
        url = f"http://127.0.0.1:{self.server.port}"
        kinds = [self._one] * 5 + [self._many] + [self._log] * 3 + [self._grade, self._look] + [self._chat] * 4
        step = 0
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            while time.monotonic() < self.end:
                step += 1
                began = time.monotonic()
                kind = chance.choice(kinds)
                try:
                    await kind(client, chance, f"{number}-{step}")
                except httpx.HTTPError as error:
                    self.seen.failed(f"{type(error).__name__} of {kind.__name__}")
                spare = CLIENTS / REQUESTS_A_SECOND - (time.monotonic() - began)
                await asyncio.sleep(max(spare, 0))

    async def _post(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> httpx.Response | None:
        answer = await client.post(path, json=body)
        return self._checked(answer, path)

    def _checked(self, answer: httpx.Response, path: str) -> httpx.Response | None:
        self.seen.answers[f"{answer.status_code}"] += 1
        if answer.is_success:
            return answer
        what = f"{answer.status_code} of {path}: {answer.text[:200]}"
        if answer.status_code in EXCUSED:
            self.seen.failed(what)
        else:
            self.seen.wrong.append(what)
        return None

    def _prompt(self, chance: random.Random) -> str:
        return text(chance.randrange(10**9), chance.randrange(1, 12), np.random.default_rng(chance.randrange(10**9)))

    async def _one(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        prompt = self._prompt(chance)
        answer = await self._post(client, "/v1/recommendations", {"prompt": prompt, "budget": BUDGET})
        if answer is not None:
            self._compare(answer.json(), prompt)

    async def _many(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        prompts = [self._prompt(chance) for _ in range(20)]
        answer = await self._post(client, "/v1/recommendations", {"prompts": prompts, "budget": BUDGET})
        if answer is not None:
            for made, prompt in zip(answer.json()["recommendations"], prompts, strict=True):
                self._compare(made, prompt)

    def _compare(self, made: dict[str, Any], prompt: str) -> None:
        expected = self.planner.policy.recommend([_input(prompt)], Budget(**BUDGET))[0]
        assert isinstance(expected, Recommendation)
        if not _same(made, json.loads(expected.model_dump_json())):
            self.seen.wrong.append(f"another recommendation for {prompt[:80]!r}")
        self.seen.made[made["recommendation_id"]] = made["prompt_id"]

    async def _log(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        runs = [
            {"run_id": f"run-{name}-{i}", "prompt": self._prompt(chance), "generator": "lab-small",
             "selection": "first", "answer": "7", "samples": [{"answer": "7", "completion_tokens": 9}]}
            for i in range(chance.randrange(1, 30))
        ]  # fmt: skip
        for _ in range(2 if chance.random() < 0.1 else 1):  # some are sent twice: it is one run all the same
            answer = await self._post(client, "/v1/runs", {"runs": runs})
            if answer is not None:
                self.seen.stored.update(answer.json()["run_ids"])

    async def _grade(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        if self.seen.stored:
            run_id = next(iter(self.seen.stored))
            if await self._post(client, f"/v1/runs/{run_id}/grade", {"correct": 1}) is not None:
                self.seen.graded.add(run_id)

    async def _chat(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        """Through the gateway: a model by name, or a plan; some streamed."""
        prompt = self._prompt(chance)
        body: dict[str, Any] = {"model": chance.choice(["lab-small", "auto", "auto-lab-small"]), "stream": False}
        body["messages"] = [{"role": "user", "content": prompt}]
        body["stream"] = chance.random() < 0.4
        if body["model"] != "lab-small":
            body["planner"] = {"max_generations": chance.choice([1, 4])}
        answer = await self._post(client, "/v1/chat/completions", body)
        if answer is None:
            return
        told, failed = _said(answer, streamed=body["stream"])
        if failed is not None:  # its status was sent before the endpoint or the store was away
            self.seen.failed(f"a stream ended with {failed[:200]}")
        elif not told.endswith(f"Answer: {answer_of(prompt)}"):
            self.seen.wrong.append(f"{body['model']} answered {told[-80:]!r} to {prompt[:80]!r}")
        else:
            self.seen.answers["completions"] += 1
            self.seen.carried_out.add(answer.headers["x-planner-run-id"])

    async def _look(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        path = chance.choice(["/v1/curves?unit=tokens", "/v1/policies", "/v1/strategies", "/metrics", "/healthz"])
        self._checked(await client.get(path), path)


def _said(answer: httpx.Response, *, streamed: bool) -> tuple[str, str | None]:
    """The text of a completion, and the error that it ended with."""
    if not streamed:
        return answer.json()["choices"][0]["message"]["content"], None
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    failed = next((json.dumps(event["error"]) for event in events if event.get("error")), None)
    if failed is None and lines[-1:] != ["[DONE]"]:
        failed = "no end"
    pieces = [choice["delta"].get("content") or "" for event in events for choice in event.get("choices", ())]
    return "".join(pieces), failed


def _input(prompt: str) -> Any:
    from planner.policy import PromptInput

    return PromptInput(prompt, None, None, {}, ())


def _same(one: Any, other: Any) -> bool:
    """Equal but for ids that are drawn; figures to five digits, since batches are summed in another order."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = (one.keys() | other.keys()) - SKIPPED
        return all(_same(one.get(name), other.get(name)) for name in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-5 * max(abs(one), abs(other), 1e-9) + 1e-6
    return bool(one == other)
