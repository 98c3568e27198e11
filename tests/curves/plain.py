"""Logs made of plain rows, and selections written plainly: all subsets listed, every vote counted by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from itertools import combinations
from math import nan

import numpy as np

from planner.core import Arm, ModelCard
from planner.curves.logs import Logs, Pool, PromptTable, RunTable, SampleTable


@dataclass(frozen=True, order=True)
class Row:
    pool: int = 0
    prompt: int = 0
    run: int = 0
    chain: int = 0
    attempt: int = 0
    answer: int = -1
    correct: float = nan
    score: float = nan
    score_min: float = nan
    prompt_tokens: float = nan
    completion_tokens: float = nan
    verifier_tokens: float = nan
    latency_seconds: float = nan


@dataclass(frozen=True)
class RunRow:
    arm: int = 0
    prompt: int = 0
    correct: float = nan
    generations: float = nan
    prompt_tokens: float = nan
    completion_tokens: float = nan
    verifier_tokens: float = nan
    usd: float = nan
    latency_seconds: float = nan


def table_of(rows: list[Row]) -> SampleTable:
    return SampleTable(
        *(
            np.array([getattr(row, f.name) for row in rows], dtype=np.int32 if place < 6 else np.float32)
            for place, f in enumerate(fields(Row))
        )
    )


def logs_of(
    rows: list[Row],
    pools: tuple[Pool, ...] = (Pool("small", "prm"),),
    *,
    n_prompts: int = 1,
    models: tuple[ModelCard, ...] = (),
    arms: tuple[Arm, ...] = (),
    runs: tuple[RunRow, ...] = (),
    candidates: tuple[Row, ...] = (),
) -> Logs:
    prompts = PromptTable(
        tuple(f"p{i}" for i in range(n_prompts)),
        tuple(f"text {i}" for i in range(n_prompts)),
        (None,) * n_prompts,
        ({},) * n_prompts,
    )
    run_table = RunTable(
        *(
            np.array([getattr(run, f.name) for run in runs], dtype=np.int32 if place < 2 else np.float32)
            for place, f in enumerate(fields(RunRow))
        )
    )
    samples = table_of(sorted(rows, key=lambda row: (row.pool, row.prompt, row.run, row.chain, row.attempt)))
    cards = {card.name: card for card in models}
    return Logs(prompts, pools, samples, arms, run_table, table_of(list(candidates)), cards)


def random_rows(rng: np.random.Generator, *, n_chains: int, depth: int, n_answers: int, prompt: int = 0) -> list[Row]:
    """Chains with random answers (0 is the correct one, -1 none) and scores that often tie."""
    return [
        Row(
            prompt=prompt,
            chain=chain,
            attempt=attempt,
            answer=(answer := int(rng.integers(-1, n_answers))),
            correct=float(answer == 0),
            score=float(rng.choice([0.1, 0.3, 0.45, 0.5, 0.7, 0.9])),
            score_min=float(rng.choice([0.05, 0.2, 0.4])),
            prompt_tokens=10.0 + 5 * attempt,
            completion_tokens=float(rng.integers(5, 50)),
        )
        for chain in range(n_chains)
        for attempt in range(depth)
    ]


def chains_of(rows: list[Row], depth: int) -> list[list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.chain].append(row)
    return [chain[:depth] for chain in found.values() if len(chain) >= depth]


def expected_outcome(rows: list[Row], selection: str, breadth: int, depth: int, *, least: bool = False) -> float:
    """Mean over every subset of `breadth` chains, each cut after `depth` attempts."""
    subsets = combinations(chains_of(rows, depth), breadth)
    return float(np.mean([_outcome(list(subset), selection, least=least) for subset in subsets]))


def _outcome(chains: list[list[Row]], selection: str, *, least: bool) -> float:  # noqa: PLR0911 - one a selection
    flat = [row for chain in chains for row in chain]

    def score(row: Row) -> float:
        return row.score_min if least else row.score

    match selection:
        case "first":
            return flat[0].correct
        case "last":
            return flat[-1].correct
        case "pass_at_k":
            return max(row.correct for row in flat)
        case "best_of_n":
            # Each chain brings its best; between chains that tie one is taken at random.
            best = [max(score(row) for row in chain) for chain in chains]
            values = [np.mean([r.correct for r in c if score(r) == b]) for c, b in zip(chains, best, strict=True)]
            return float(np.mean([v for v, b in zip(values, best, strict=True) if b == max(best)]))
        case "majority_vote":
            return _vote(flat, [1.0] * len(flat))
        case "filter_vote":
            kept = [row for row in flat if row.score >= 0.5 and row.answer >= 0] or flat
            return _vote(kept, [1.0] * len(kept))
        case _:
            if max(len(chain) for chain in chains) == 1:
                return _vote(flat, [score(row) for row in flat])
            winners = [_chain_winner(chain, score) for chain in chains]
            return _vote([row for row, _ in winners], [weight for _, weight in winners])


def _chain_winner(chain, score):
    chain = [row for row in chain if row.answer >= 0] or chain
    total: dict[int, float] = defaultdict(float)
    for row in chain:
        total[row.answer] += score(row)
    best = {answer: max(score(row) for row in chain if row.answer == answer) for answer in total}
    top = max(total.values())
    winner = max((a for a in total if total[a] >= top - 1e-6), key=lambda answer: best[answer])
    return next(row for row in chain if row.answer == winner), best[winner]


def _vote(rows: list[Row], weights: list[float]) -> float:
    total: dict[int, float] = defaultdict(float)
    for row, weight in zip(rows, weights, strict=True):
        if row.answer >= 0:
            total[row.answer] += weight
    if not total or max(total.values()) == 0:
        return float(np.mean([row.correct for row in rows]))
    top = max(total.values())
    winners = [answer for answer, weight in total.items() if weight >= top - 1e-6]
    return sum(answer == 0 for answer in winners) / len(winners)
