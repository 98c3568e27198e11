"""`make endure`: mixed traffic for minutes, while workers are killed and the database is stopped; loopback only.

The gateway's endpoint is a scripted one, whose answer to each prompt is known.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from planner import Planner
from planner.execution.run_log import recover
from planner.store.card_files import read_model_cards
from tests.bench.load import Server, free_port, rss_mb, served, worker_pids
from tests.bench.logs import LAB_CARDS, LAB_SAMPLES
from tests.bench.scripted import scripted
from tests.bench.traffic import CLIENTS, Break, Seen, Traffic
from tests.postgres import NoPostgres, PostgresServer

WORKERS = 2
BREAK_EVERY_SECONDS = 12.0
AWAY_SECONDS = 2.0
WARM_SECONDS = 120.0
ENDPOINT_SECONDS = 0.02


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
    server: Server,
    planner: Planner,
    database: PostgresServer | None,
    *,
    port: int,
    seconds: float,
    breaking: float,
    seed: int,
) -> Seen:
    seen, end = Seen(), time.monotonic() + seconds
    traffic = Traffic(server, planner, seen, seed, end)
    async with scripted(ENDPOINT_SECONDS, port=port):
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
    url, port = env["PLANNER_DATABASE_URL"], free_port()
    env["PLANNER_ENDPOINT_URL"] = f"http://127.0.0.1:{port}/v1"
    _fit(url, env)
    with Planner.open(url, artifact_dir=env["PLANNER_ARTIFACT_DIR"]) as planner:
        planner.policy  # noqa: B018 - loaded before the database is stopped
        planner.watched()
        with served(folder, workers=WORKERS, env=env) as server:
            seen = asyncio.run(_go(server, planner, database, port=port, seconds=seconds, breaking=breaking, seed=seed))
        recover(planner.store)  # as the next process to open an endpoint does: what killed workers had begun
        given = seen.stored | seen.carried_out
        missing_runs = given - {run.run_id for run in planner.store.find_runs(sorted(given))}
        lost = sum(planner.store.recommendation(one) is None for one in list(seen.made)[:5000])
    found = [*seen.wrong, *(f"long after any break: {what}" for what in seen.late_errors)]
    found += [f"logged run lost after its 2xx: {one}" for one in sorted(missing_runs)]
    growth = slope_mb_a_minute(seen)
    kinds = Counter(one.what for one in seen.breaks)
    print(f"{'PostgreSQL' if database else 'SQLite'}, {seconds:.0f} s, {WORKERS} workers: {dict(seen.answers)}")
    print(f"  breaks: {dict(kinds)}; last error after one was over: {max(seen.recovered, default=0):.1f} s")
    print(f"  {len(seen.stored):,} runs acknowledged and {len(seen.carried_out):,} carried out by the gateway,")
    print(f"  {len(missing_runs)} of them lost; {len(seen.made):,} recommendations,")
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
            found[pid] = f"{slope:+z.2f} (at {warm[-1, 1]:.0f} MB, {np.ptp(mine[:, 0]):.0f} s)"
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
