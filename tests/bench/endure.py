"""`make endure`: mixed traffic for minutes, while workers are killed and the database is stopped; loopback only."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from planner import Budget, Planner, Recommendation
from planner.store.card_files import read_model_cards
from tests.bench.load import Server, rss_mb, served, worker_pids
from tests.bench.logs import LAB_CARDS, LAB_SAMPLES
from tests.bench.speed import text
from tests.postgres import NoPostgres, PostgresServer

WORKERS = 2
CLIENTS = 8
REQUESTS_A_SECOND = 60.0
BREAK_EVERY_SECONDS = 12.0
AWAY_SECONDS = 2.0
BACK_SECONDS = 10.0
"""So long after a break an error may still be answered."""
WARM_SECONDS = 20.0
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
        kinds = [self._one] * 5 + [self._many] + [self._log] * 3 + [self._grade, self._look]
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

    async def _look(self, client: httpx.AsyncClient, chance: random.Random, name: str) -> None:
        path = chance.choice(["/v1/curves?unit=tokens", "/v1/policies", "/v1/strategies", "/metrics", "/healthz"])
        self._checked(await client.get(path), path)


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


async def _break_things(server: Server, database: PostgresServer | None, seen: Seen, end: float, seed: int) -> None:
    chance = random.Random(seed)
    while time.monotonic() + BREAK_EVERY_SECONDS < end:
        await asyncio.sleep(BREAK_EVERY_SECONDS)
        if database is not None and chance.random() < 0.4:
            at_once = chance.random() < 0.5
            seen.breaks.append(Break("database"))
            await asyncio.to_thread(database.stop, at_once=at_once)
            if chance.random() < 0.5:
                _kill_one(server, chance)
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(database.start)
            seen.breaks[-1].over = time.monotonic()
        else:
            seen.breaks.append(Break("worker", time.monotonic()))
            _kill_one(server, chance)


def _kill_one(server: Server, chance: random.Random) -> None:
    workers = worker_pids(server.process.pid)
    if workers:
        os.kill(chance.choice(workers), signal.SIGKILL)


async def _weigh(server: Server, seen: Seen, end: float) -> None:
    while time.monotonic() < end:
        for pid in worker_pids(server.process.pid):
            try:
                seen.memory.append((time.monotonic(), pid, rss_mb(pid)))
            except (FileNotFoundError, ProcessLookupError):
                continue
        await asyncio.sleep(2)


async def _go(
    server: Server, planner: Planner, database: PostgresServer | None, seconds: float, breaking: float, seed: int
) -> Seen:
    seen, end = Seen(), time.monotonic() + seconds
    traffic = Traffic(server, planner, seen, seed, end)
    await asyncio.gather(
        *(traffic.client(number) for number in range(CLIENTS)),
        _break_things(server, database, seen, end - seconds * (1 - breaking), seed),
        _weigh(server, seen, end),
    )
    return seen


def endure(folder: Path, database: PostgresServer | None, *, seconds: float, breaking: float, seed: int) -> list[str]:
    """What went wrong; prints what was seen."""
    env = {"PLANNER_LOG_LEVEL": "warning", "OMP_NUM_THREADS": "1", "PLANNER_ARTIFACT_DIR": str(folder / "artifacts")}
    env["PLANNER_DATABASE_URL"] = database.new_database() if database else f"sqlite:///{folder / 'planner.db'}"
    url = env["PLANNER_DATABASE_URL"]
    _fit(url, env)
    with Planner.open(url, artifact_dir=env["PLANNER_ARTIFACT_DIR"]) as planner:
        planner.policy  # noqa: B018 - loaded before the database is stopped
        planner.watched()
        with served(folder, workers=WORKERS, env=env) as server:
            seen = asyncio.run(_go(server, planner, database, seconds, breaking, seed))
        missing_runs = seen.stored - {run.run_id for run in planner.store.find_runs(sorted(seen.stored))}
        lost = sum(planner.store.recommendation(one) is None for one in list(seen.made)[:5000])
    found = [*seen.wrong, *(f"long after any break: {what}" for what in seen.late_errors)]
    found += [f"logged run lost after its 2xx: {one}" for one in sorted(missing_runs)]
    growth = slope_mb_a_minute(seen)
    kinds = Counter(one.what for one in seen.breaks)
    print(f"{'PostgreSQL' if database else 'SQLite'}, {seconds:.0f} s, {WORKERS} workers: {dict(seen.answers)}")
    print(f"  breaks: {dict(kinds)}; last error after one was over: {max(seen.recovered, default=0):.1f} s")
    print(f"  {len(seen.stored):,} runs acknowledged, {len(missing_runs)} lost; {len(seen.made):,} recommendations,")
    print(f"  {lost} of those (served in the last second of a killed worker) not stored")
    print(f"  memory of workers after {WARM_SECONDS:.0f} s of life, MB a minute: {growth}")
    print(f"  wrong: {len(seen.wrong)}, errors long after a break: {len(seen.late_errors)}")
    return found


def slope_mb_a_minute(seen: Seen) -> dict[int, str]:
    """Of each worker that lived long enough: how its memory grew once it was warm."""
    found = {}
    for pid in sorted({pid for _, pid, _ in seen.memory}):
        mine = np.array([(moment, mb) for moment, other, mb in seen.memory if other == pid])
        warm = mine[mine[:, 0] > mine[0, 0] + WARM_SECONDS]
        if len(warm) >= 10:
            slope = 60 * np.polyfit(warm[:, 0], warm[:, 1], 1)[0]
            found[pid] = f"{slope:+.2f} (at {warm[-1, 1]:.0f} MB, {np.ptp(mine[:, 0]):.0f} s)"
    return found


def _fit(url: str, env: dict[str, str]) -> None:
    from planner.store import Store
    from planner.store.engine import Database
    from planner.store.schema import create_schema

    database = Database(url)
    create_schema(database)
    database.close()
    with Store.open(url) as store:
        store.save_models(read_model_cards(LAB_CARDS))
    with Planner.open(url, artifact_dir=env["PLANNER_ARTIFACT_DIR"]) as planner:
        planner.import_logs(LAB_SAMPLES)
        planner.fit(seed=0)


def main() -> int:
    """Endure on each store, and give 1 where anything went wrong."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--minutes", type=float, default=10.0, help="on each store")
    reader.add_argument("--store", choices=("sqlite", "postgresql", "both"), default="both")
    reader.add_argument(
        "--breaking", type=float, default=0.6, help="share of the time; then memory is looked at, with nothing ended"
    )
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args()
    found: list[str] = []
    for store in ("sqlite", "postgresql"):
        if asked.store not in {store, "both"}:
            continue
        folder = Path(tempfile.mkdtemp(prefix="planner-endure-"))
        try:
            if store == "sqlite":
                found += endure(folder, None, seconds=60 * asked.minutes, breaking=asked.breaking, seed=asked.seed)
                continue
            try:
                server = PostgresServer(synced=True)
            except NoPostgres as why:
                print(f"PostgreSQL: {why}")
                continue
            with server:
                found += endure(folder, server, seconds=60 * asked.minutes, breaking=asked.breaking, seed=asked.seed)
        finally:
            shutil.rmtree(folder)
    for what in found[:20]:
        print(f"  - {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
