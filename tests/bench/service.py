"""`make bench`: one worker of `planner serve` under load on loopback, for README.md."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.load import Load, Server, load, request, served
from tests.bench.readme import COLUMNS, PACE, by_round, machine, markdown_table, once, pace_ms, write_figures
from tests.bench.speed import PLANNER, model_cards, run, samples_file, text
from tests.postgres import NoPostgres, PostgresServer

CONNECTIONS = 16
BUDGET = {"max_tokens": 4000}
RUNS_A_REQUEST = 100
WARM = 300
ROUNDS, LOGGING_ROUNDS = 10, 6
RUN = os.urandom(4).hex()
"""Ids that no earlier bench has logged into the same store."""


def fitted(folder: Path) -> Path:
    """A store with the policy of the bench of speed: five generators, about 200 arms."""
    run([*PLANNER, "logs", "import", str(samples_file(folder, n_prompts=1000, n_samples=16))], folder)
    run([*PLANNER, "models", "import", str(model_cards(folder))], folder)
    run([*PLANNER, "fit"], folder)
    return folder


def recommendations(server: Server, n_requests: int) -> list[list[object]]:
    """Single recommendations for prompts that no one has seen; the rows of the table."""
    rng = np.random.default_rng(3)
    bodies = [
        json.dumps({"prompt": text(i, int(rng.integers(1, 12)), rng), "budget": BUDGET}).encode()
        for i in range(n_requests * ROUNDS + WARM)
    ]
    sent = iter([request("/v1/recommendations", body, port=server.port) for body in bodies])
    rounds, pace = list[Load](), list[float]()
    for count in (WARM, *[n_requests] * ROUNDS):
        pace.append(pace_ms())
        some = list(itertools.islice(sent, count))
        rounds.append(load(server.port, server.process.pid, some, connections=CONNECTIONS))
    rounds, pace = rounds[1:], pace[1:]
    latency = f"latency at {CONNECTIONS} connections"
    return [
        by_round("POST /v1/recommendations, requests a CPU second", [one.per_cpu_second for one in rounds], "2,500",
                 form="{:,.0f}"),
        by_round("the same, requests a second", [one.per_second for one in rounds], form="{:,.0f}"),
        by_round(f"{latency}, p50", [one.percentile_ms(50) for one in rounds], form="{:.1f} ms"),
        by_round(f"{latency}, p99", [one.percentile_ms(99) for one in rounds], "10 ms", form="{:.1f} ms"),
        by_round(PACE, pace, form="{:.0f} ms"),
    ]  # fmt: skip


def batches(server: Server, n_prompts: int = 1000, repeats: int = 10) -> Load:
    """Batches of recommendations, one after the other."""
    rng = np.random.default_rng(4)
    prompts = [[text(i, int(rng.integers(1, 12)), rng) for i in range(n_prompts)] for _ in range(repeats + 1)]
    sent = [
        request("/v1/recommendations", json.dumps({"prompts": some, "budget": BUDGET}).encode(), port=server.port)
        for some in prompts
    ]
    load(server.port, server.process.pid, sent[:1], connections=1)
    return load(server.port, server.process.pid, sent[1:], connections=1)


def logging(server: Server, n_requests: int) -> list[Load]:
    """Rounds of requests of 100 runs of one sample each."""
    rng = np.random.default_rng(5)
    sent = iter([
        request("/v1/runs", json.dumps({"runs": [_run(i, place, rng) for place in range(RUNS_A_REQUEST)]}).encode(),
                port=server.port)
        for i in range(n_requests * LOGGING_ROUNDS + CONNECTIONS)
    ])  # fmt: skip
    rounds = [
        load(server.port, server.process.pid, list(itertools.islice(sent, n)), connections=CONNECTIONS, status=201)
        for n in (CONNECTIONS, *[n_requests] * LOGGING_ROUNDS)
    ]
    return rounds[1:]


def _run(request_number: int, place: int, rng: np.random.Generator) -> dict[str, object]:
    sample = {"answer": "7", "correct": 1.0, "score": 0.8, "prompt_tokens": 40, "completion_tokens": 120}
    return {
        "run_id": f"{RUN}-{request_number}-{place}",
        "prompt": text(request_number * RUNS_A_REQUEST + place, 4, rng),
        "generator": "small",
        "verifier": "judge",
        "selection": "first",
        "answer": "7",
        "correct": 1.0,
        "prompt_tokens": 40,
        "completion_tokens": 120,
        "started_at": "2026-01-31T12:00:00Z",
        "samples": [sample],
    }


def main() -> None:
    """Measure, print, write."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--dry", action="store_true", help="write nothing")
    reader.add_argument("--home", type=Path, help="a folder that `fitted` has filled; it is written to")
    reader.add_argument("--requests", type=int, default=2000, help="of a round")
    asked = reader.parse_args()
    server_core, client_core = _two_cores()
    folder = Path(tempfile.mkdtemp(prefix="planner-service-"))
    rows: list[list[object]] = []
    try:
        home = asked.home or fitted(folder)
        os.sched_setaffinity(0, client_core)
        with served(home, cores=server_core) as server:
            rows += recommendations(server, asked.requests)
            batch = batches(server)
        with served(home, cores=server_core) as server:
            sqlite = logging(server, asked.requests // 10)
        rows += [
            by_round("batch of 1,000 prompts", batch.seconds.tolist(), "0.25 s", form="{:.2f} s"),
            once("the same, of processor time", f"{1 / batch.per_cpu_second:.2f} s"),
            *_runs("SQLite", sqlite, 5_000),
        ]
        rows += _on_postgres(folder, server_core, asked.requests // 10)
    finally:
        shutil.rmtree(folder)
    table = f"{markdown_table(['one worker, loopback', *COLUMNS], rows)}\n\nOn {machine()}; medians of rounds."
    print(table)
    if not asked.dry:
        write_figures("service", table)


def _on_postgres(folder: Path, cores: set[int], n_requests: int) -> list[list[object]]:
    try:
        database = PostgresServer(synced=True)
    except NoPostgres as why:
        return [once("logging into PostgreSQL", str(why), "10,000")]
    with database:
        env = {"PLANNER_DATABASE_URL": database.new_database(), "PLANNER_ARTIFACT_DIR": str(folder / "artifacts")}
        run(["env", *(f"{name}={value}" for name, value in env.items()), *PLANNER, "db", "init"], folder)
        with served(folder, cores=cores, env=env) as server:
            return _runs("PostgreSQL", logging(server, n_requests), 10_000)


def _runs(store: str, found: list[Load], wanted: int) -> list[list[object]]:
    per_second = [RUNS_A_REQUEST * one.per_second for one in found]
    per_cpu = [RUNS_A_REQUEST * one.per_cpu_second for one in found]
    what = f"logging in batches of {RUNS_A_REQUEST} into {store}"
    return [
        by_round(f"{what}, runs a second", per_second, f"{wanted:,}", form="{:,.0f}"),
        by_round("the same, runs a CPU second", per_cpu, form="{:,.0f}"),
    ]


def _two_cores() -> tuple[set[int], set[int]]:
    """One for the server, the others for who asks it."""
    cores = sorted(os.sched_getaffinity(0))
    return ({cores[0]}, set(cores[1:])) if len(cores) > 1 else (set(cores), set(cores))


if __name__ == "__main__":
    main()
