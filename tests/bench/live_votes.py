"""Without a verifier: sessions that see answers alone, against votes that stop early, at equal tokens."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from planner.core import Arm, Budget, RunResult, Stage
from planner.curves.cascade import replay_cascades
from planner.curves.logs import Floats
from planner.policy.frontier import mixture_hull
from tests.bench.fresh import Fresh
from tests.bench.logs import LAB_SAMPLES, fitted
from tests.bench.readme import markdown_table

GENERATOR = "lab-small"
MOST = 40
"""Samples that Adaptive-Consistency draws at most."""
CONFIDENCES = (0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
WINDOWS = (2, 3, 4, 5, 8)
N_ORDERS = 16


@dataclass(frozen=True)
class Stopped:
    """One rule on the fresh problems: accuracy and tokens of each, (P,)."""

    name: str
    accuracy: Floats
    tokens: Floats


def votes(fresh: Fresh) -> str:
    """Accuracy at the tokens of Adaptive-Consistency and of early-stopping self-consistency, and of sessions there."""
    with tempfile.TemporaryDirectory() as folder, fitted(_without_scores(Path(folder))) as planner:
        rules = [*adaptive_consistency(fresh), *early_stopping(fresh)]
        budgets = sorted(
            {float(rule.tokens.mean()) for rule in rules if "0.95" in rule.name or "windows of 5" in rule.name}
        )
        rows = []
        for budget in budgets:
            results = planner.run_batch(fresh.asked, Budget(mean_tokens=budget), endpoint="lab")
            runs = [result for result in results if isinstance(result, RunResult)]
            assert len(runs) == len(results), "the lab's models answer"
            accuracy = np.mean([run.correct or 0.0 for run in runs])
            tokens = float(np.mean([run.cost.tokens for run in runs]))
            rows.append(
                [
                    f"{budget:.0f}",
                    f"{tokens:.0f}",
                    f"{accuracy:.3f}",
                    *(f"{_at(rules, kind, tokens):.3f}" for kind in KINDS),
                ]
            )
    header = ["mean budget, tokens", "spent", "session", *(f"{kind} at that cost" for kind in KINDS)]
    return "Without a verifier, answers of lab-small alone:\n\n" + markdown_table(header, rows)


KINDS = ("Adaptive-Consistency", "early-stopping self-consistency")


def _at(rules: Sequence[Stopped], kind: str, tokens: float) -> float:
    """What a kind of rule reaches with so many tokens, mixing two settings that are chosen in hindsight."""
    mine = [rule for rule in rules if rule.name.startswith(kind)]
    hull = mixture_hull([float(r.tokens.mean()) for r in mine], [float(r.accuracy.mean()) for r in mine])
    return float(np.interp(tokens, hull.costs, hull.values))


def adaptive_consistency(fresh: Fresh) -> list[Stopped]:
    """Votes that stop when the Beta rule is sure, at several confidences (Aggarwal et al. 2023)."""
    arms = [_stopping({"rule": "beta_vote", "confidence": c}) for c in CONFIDENCES]
    table = replay_cascades(fresh.logs, [*arms, _stopping(None, 1)])
    tokens = table.expected.prompt_tokens + table.expected.completion_tokens
    names = [f"{KINDS[0]} {c}" for c in CONFIDENCES] + [f"{KINDS[0]}, one sample"]
    return [Stopped(name, table.outcome[:, i], tokens[:, i]) for i, name in enumerate(names)]


def early_stopping(fresh: Fresh) -> list[Stopped]:
    """Votes drawn in windows until one agrees within itself (Li et al. 2024), over random orders of the pools."""
    samples = fresh.logs.samples
    pool = next(i for i, pool in enumerate(fresh.logs.pools) if pool.generator == GENERATOR)
    rng = np.random.default_rng(0)
    found: dict[int, list[tuple[float, float]]] = {window: [] for window in WINDOWS}
    for prompt in range(len(fresh.logs.prompts)):
        rows = np.flatnonzero((samples.pool == pool) & (samples.prompt == prompt))
        for window in WINDOWS:
            drawn = [_windows(samples, rng.permutation(rows)[:MOST], window) for _ in range(N_ORDERS)]
            found[window].append(tuple(np.mean(drawn, axis=0)))
    single = adaptive_consistency(fresh)[-1]
    out = [Stopped(f"{KINDS[1]}, one sample", single.accuracy, single.tokens)]
    for window, values in found.items():
        columns = np.array(values, dtype=np.float32).T
        out.append(Stopped(f"{KINDS[1]}, windows of {window}", *columns))
    return out


def _windows(samples, rows, window: int) -> tuple[float, float]:
    """Correctness and tokens of one order: windows until all answers of one are equal."""
    used = len(rows)
    for start in range(0, len(rows) - window + 1, window):
        answers = samples.answer[rows[start : start + window]]
        if (answers == answers[0]).all() and answers[0] >= 0:
            used = start + window
            break
    kept = rows[:used]
    answers = samples.answer[kept]
    voters = answers[answers >= 0]
    tokens = float((samples.prompt_tokens[kept] + samples.completion_tokens[kept]).sum())
    if not len(voters):
        return float(samples.correct[kept[0]]), tokens
    values, counts = np.unique(voters, return_counts=True)
    winners = values[counts == counts.max()]
    return float(np.mean([samples.correct[kept[answers == w][0]] for w in winners])), tokens


def _stopping(stop: dict[str, object] | None, most: int = MOST) -> Arm:
    stage = Stage.model_validate({"generator": GENERATOR, "max_samples": most, "stop": stop}).model_dump(mode="json")
    return Arm(
        generator=GENERATOR, search="cascade", selection="majority_vote", breadth=most, params={"stages": [stage]}
    )


def _without_scores(folder: Path) -> Path:
    """The bundled samples of one generator as they would be without any verifier."""
    table = pq.read_table(LAB_SAMPLES)
    mine = table.filter(np.array([name == GENERATOR for name in table["generator"].to_pylist()]))
    path = folder / "votes.parquet"
    pq.write_table(mine.drop_columns(["verifier", "score", "score_min"]), path)
    return path
