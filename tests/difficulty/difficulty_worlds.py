"""Small simulated logs of known difficulty: one word may tell the bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.core import Arm
from planner.curves.logs import Logs, Pool, PromptTable, RunTable, SampleTable
from planner.curves.table import OutcomeTable, PoolTable, Slots, Usage

FILLER = ("apple", "river", "stone", "cloud", "tiger", "lamp", "paper", "glass")
BIN_WORDS = ("trivial", "simple", "medium", "tricky", "brutal")
SINGLE_ARMS = (
    *(Arm(generator="small", selection="majority_vote" if n > 1 else "first", breadth=n) for n in (1, 2, 4, 8, 16)),
    Arm(generator="larger"),
)


@dataclass(frozen=True)
class World:
    table: OutcomeTable
    logs: Logs
    bins: np.ndarray
    rates: np.ndarray


def pooled_world(n_prompts, *, n_samples=32, telling=True, seed=0, prefix="p"):
    rng = np.random.default_rng(seed)
    logits = 0.3 + 1.8 * rng.normal(size=n_prompts)
    bins = _bins(logits)
    prompts = _prompts(bins, rng, telling=telling, prefix=prefix)
    rates = 1 / (1 + np.exp(-logits))
    correct = rng.random((n_prompts, n_samples)) < rates[:, None]
    wrong = rng.choice(4, p=(0.55, 0.25, 0.12, 0.08), size=correct.shape)
    score = 1 / (1 + np.exp(-(correct + rng.normal(size=correct.shape) - 0.5)))
    answer = np.where(correct, 0, 1 + wrong) + 5 * np.arange(n_prompts)[:, None]
    n = correct.size
    rows = np.arange(n, dtype=np.int32)
    zero, unknown = np.zeros(n, np.int32), np.full(n, np.nan, np.float32)
    samples = SampleTable(
        pool=zero,
        prompt=rows // n_samples,
        run=rows // n_samples,
        chain=rows % n_samples,
        attempt=zero,
        answer=answer.ravel().astype(np.int32),
        correct=correct.ravel().astype(np.float32),
        score=score.ravel().astype(np.float32),
        score_min=unknown,
        prompt_tokens=unknown,
        completion_tokens=unknown,
        verifier_tokens=unknown,
        latency_seconds=unknown,
    )
    pools = (Pool("small", "verifier"),)
    counts = correct.sum(axis=1, keepdims=True).astype(np.float32)
    empty = np.zeros((n_prompts, 0), np.float32)
    table = outcome_table(prompts, (), empty, empty, pools, np.full_like(counts, n_samples), counts)
    no_runs = RunTable(zero[:0], zero[:0], *([unknown[:0]] * 7))
    none = SampleTable(*([zero[:0]] * 6), *([unknown[:0]] * 7))
    return World(table, Logs(prompts, pools, samples, (), no_runs, none, {}), bins, rates)


def single_world(n_prompts, *, telling=True, seed=0, prefix="p"):
    """One outcome of one arm a prompt, in turn."""
    rng = np.random.default_rng(seed)
    logits = 0.3 + 1.8 * rng.normal(size=n_prompts)
    bins = _bins(logits)
    arm = np.arange(n_prompts) % len(SINGLE_ARMS)
    rates = 1 / (1 + np.exp(-(logits + 1.2 * (arm == len(SINGLE_ARMS) - 1))))
    outcome = np.full((n_prompts, len(SINGLE_ARMS)), np.nan, np.float32)
    outcome[np.arange(n_prompts), arm] = rng.random(n_prompts) < rates
    weight = np.isfinite(outcome).astype(np.float32)
    empty = np.zeros((n_prompts, 0), np.float32)
    prompts = _prompts(bins, rng, telling=telling, prefix=prefix)
    return outcome_table(prompts, SINGLE_ARMS, outcome, weight, (), empty, empty), bins


def outcome_table(prompts, arms, outcome, weight, pools, n_samples, n_correct, slot_pool=None):
    unknown = np.full(outcome.shape, np.nan, np.float32)
    usage = Usage(unknown, unknown, unknown, unknown)
    slots = Slots(
        np.arange(len(arms), dtype=np.int32),
        tuple(arm.generator for arm in arms),
        tuple(arm.verifier for arm in arms),
        np.full(len(arms), -1, np.int32) if slot_pool is None else np.asarray(slot_pool, np.int32),
        np.zeros(len(arms), np.float32),
    )
    tokens = np.full(n_samples.shape, np.nan, np.float32)
    return OutcomeTable(
        prompts=prompts,
        arms=arms,
        models={},
        outcome=outcome,
        weight=weight,
        slots=slots,
        expected=usage,
        worst=usage,
        latency_seconds=unknown,
        latency_worst_seconds=unknown,
        extrapolated=np.zeros(len(arms), np.bool_),
        pools=PoolTable(pools, n_samples, n_correct, tokens, tokens, tokens),
    )


def _bins(logits):
    edges = np.quantile(logits, (0.8, 0.6, 0.4, 0.2))
    return (logits[:, None] < edges).sum(axis=1)


def _prompts(bins, rng, *, telling, prefix):
    words = [" ".join(rng.choice(FILLER, 6)) for _ in bins]
    told = [BIN_WORDS[b] if telling else "plain" for b in bins]
    texts = tuple(f"{a} {b} number {rng.integers(10**6)}" for a, b in zip(words, told, strict=True))
    n = len(texts)
    return PromptTable(tuple(f"{prefix}{i}" for i in range(n)), texts, (None,) * n, ({},) * n)
