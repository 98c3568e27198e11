"""Speed and memory: `python -m tests.bench.speed` prints a table and writes it into README.md.

Whole commands are timed as processes, medians of several runs, beside bare Python in the same run (the ratio holds
where a shared machine's seconds do not).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.readme import COLUMNS, PACE, by_round, machine, markdown_table, once, pace_ms, write_figures

if TYPE_CHECKING:
    from planner import Budget, Planner

PLANNER = (sys.executable, "-m", "planner")
GENERATORS = (
    ("tiny", 1e9, -0.8),
    ("small", 3e9, 0.0),
    ("middle", 1e10, 0.6),
    ("large", 3e10, 1.2),
    ("huge", 1e11, 1.8),
)
ROUNDS, BATCH, ONE_BY_ONE, WARM = 12, 10_000, 2000, 100
WORDS = tuple(f"word{i}" for i in range(2000))


def text(number: int, steps: int, rng: np.random.Generator) -> str:
    """A prompt of about 300 characters, whose length tells a little of its difficulty."""
    return f"Problem {number}: {' '.join(rng.choice(WORDS, 30))} {'step ' * steps}, how many?"


def samples_file(folder: Path, *, n_prompts: int, n_samples: int, seed: int = 0) -> Path:
    """Flat log of `n_prompts` x 5 generators x `n_samples` rows, with scores; answers of hard prompts disagree."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0.3, 1.8, n_prompts)
    texts = [text(i, int(np.clip(6 - 2 * z, 1, 12)), rng) for i, z in enumerate(logit)]
    writer, path = None, folder / "samples.parquet"
    for name, _, shift in GENERATORS:
        rate = 1 / (1 + np.exp(-(logit + shift)))
        prompt = np.repeat(np.arange(n_prompts), n_samples)
        correct = (rng.random(len(prompt)) < rate[prompt]).astype(np.float32)
        answer = np.where(correct == 1, 0, rng.integers(1, 5, len(prompt)))
        score = 1 / (1 + np.exp(-rng.normal(2 * correct - 1, 1.5)))
        ids = np.char.add("p", prompt.astype(str))
        first = (np.arange(len(prompt)) % n_samples == 0) & (name == GENERATORS[0][0])
        table = pa.table(
            {
                "prompt_id": ids,
                "prompt": pa.array([texts[p] if f else None for p, f in zip(prompt, first, strict=True)], pa.string()),
                "generator": pa.array([name] * len(prompt)),
                "verifier": pa.array(["judge"] * len(prompt)),
                "run_id": np.char.add(ids, f"/{name}"),
                "chain": np.tile(np.arange(n_samples, dtype=np.int16), n_prompts),
                "attempt": np.zeros(len(prompt), np.int16),
                "answer": answer.astype(str),
                "correct": correct,
                "score": score.astype(np.float32),
                "prompt_tokens": np.full(len(prompt), 40, np.int32),
                "completion_tokens": rng.integers(60, 200, len(prompt), dtype=np.int32),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return path


def model_cards(folder: Path) -> Path:
    """Cards with parameters, prices and speeds."""
    cards = [
        {
            "name": name, "kind": "generator", "active_params": params, "tokens_per_second": 2e11 / params,
            "usd_per_million_prompt_tokens": params / 1e11, "usd_per_million_completion_tokens": params / 3e10,
        }
        for name, params, _ in GENERATORS
    ]  # fmt: skip
    cards.append({"name": "judge", "kind": "orm", "active_params": 5e8, "usd_per_million_prompt_tokens": 0.01})
    path = folder / "models.json"
    path.write_text(json.dumps(cards), "utf-8")
    return path


def run(command: Sequence[str], folder: Path) -> float:
    """Wall seconds of one process; its output is dropped, a failure raises."""
    start = time.perf_counter()
    # An installed package is compiled once; an environment that forbids it would have every start compile it anew.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    return time.perf_counter() - start


def timed(command: Sequence[str], folder: Path, *, repeats: int = 7) -> float:
    """Median wall seconds of a command after one warm-up."""
    run(command, folder)
    return median(run(command, folder) for _ in range(repeats))


def peak_mb() -> float:
    """Largest resident size of any process waited for so far, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def in_process(folder: Path) -> list[list[object]]:
    """Latency of `Planner.recommend` for unseen prompts and throughput of a batch, storing switched on.

    In rounds that take turns over a minute or two: a shared machine may be twice as slow for some of it.
    """
    from planner import Budget, Planner

    rng = np.random.default_rng(1)
    budgets = {"a ceiling": Budget(max_tokens=4000), "an average": Budget(mean_usd=2e-4, max_usd=0.01)}
    latency: dict[str, list[np.ndarray]] = {name: [] for name in budgets}
    answered, stored, pace = [], [], []
    with Planner.open(f"sqlite:///{folder / 'planner.db'}") as planner:
        n_arms = len(planner.policy.arms)
        for number in range(1, 1 + ROUNDS):
            pace.append(pace_ms())
            prompts = [text(number * BATCH + i, int(rng.integers(1, 12)), rng) for i in range(BATCH)]
            for name, budget in budgets.items():
                seconds = [_seconds(planner, prompt, budget) for prompt in prompts[:ONE_BY_ONE]]
                latency[name].append(np.percentile(seconds[WARM:], [50, 99]) * 1e3)
            planner.flush()
            start = time.process_time()
            planner.recommend_batch(prompts, budgets["a ceiling"])
            answered.append(BATCH / (time.process_time() - start))
            planner.flush()
            stored.append(BATCH / (time.process_time() - start))
    rows: list[list[object]] = []
    for name, rounds in latency.items():
        what = f"recommend in process, {name}, {n_arms} arms"
        for place, (percentile, wanted) in enumerate((("p50", "0.3 ms"), ("p99", "2 ms"))):
            rows.append(by_round(f"{what}, {percentile}", [float(r[place]) for r in rounds], wanted, form="{:.2f} ms"))
    for done, rates in (("answered", answered), ("answered and stored", stored)):
        what = f"recommend, batch of {BATCH:,} prompts, {done}, a CPU second"
        rows.append(by_round(what, rates, "10,000", form="{:,.0f}"))
    return [*rows, by_round(PACE, pace, form="{:.0f} ms")]


def _seconds(planner: Planner, prompt: str, budget: Budget) -> float:
    start = time.perf_counter()
    planner.recommend(prompt, budget)
    return time.perf_counter() - start


def _beside(seconds: float, bare: float) -> str:
    return f"{seconds * 1e3:.0f} ms, {seconds / bare:.1f} x bare Python"


def main() -> None:
    """Measure, print, write."""
    folder = Path(tempfile.mkdtemp(prefix="planner-speed-"))
    try:
        small = folder / "small"
        small.mkdir()
        bare = timed([sys.executable, "-c", "pass"], folder)
        rows: list[list[object]] = [once("bare Python", f"{bare * 1e3:.0f} ms")]
        help_seconds = timed([*PLANNER, "--help"], folder)
        rows.append(once("`planner --help`", _beside(help_seconds, bare), "150 ms"))

        # A fitted policy of five generators and about 200 arms serves the figures of recommend.
        run([*PLANNER, "logs", "import", str(samples_file(small, n_prompts=1000, n_samples=16))], small)
        run([*PLANNER, "models", "import", str(model_cards(small))], small)
        run([*PLANNER, "fit"], small)
        cold = timed(
            [*PLANNER, "recommend", text(1, 5, np.random.default_rng(2)), "--max-tokens", "4000", "--json"], small
        )
        rows.append(once("`planner recommend`, cold start", _beside(cold, bare), "500 ms"))
        rows += in_process(small)

        large = folder / "large"
        large.mkdir()
        log = samples_file(large, n_prompts=20_000, n_samples=10)
        seconds = run([*PLANNER, "logs", "import", str(log)], large)
        rows.append(
            once("import of 1,000,000 sample rows, Parquet to SQLite", f"{1e6 / seconds:,.0f} rows a second", "60,000")
        )
        run([*PLANNER, "models", "import", str(model_cards(large))], large)
        seconds = run([*PLANNER, "fit"], large)
        rows.append(once("`planner fit` on them (20,000 prompts)", f"{seconds:.0f} s", "60 s"))
        rows.append(once("largest memory of any of these", f"{peak_mb():,.0f} MB", "2,048 MB"))
    finally:
        shutil.rmtree(folder)
    table = f"{markdown_table(['', *COLUMNS], rows)}\n\nOn {machine()}; medians of rounds; `make bench` measures again."
    print(table)
    write_figures("speed", table)


if __name__ == "__main__":
    os.environ.setdefault("PLANNER_LOG_LEVEL", "error")
    main()
