"""The simulated world of METHODS 6: two generators, a verifier, and texts that tell much or little."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from planner.core import Arm, ModelCard, Probe
from planner.curves.logs import Logs, Pool, PromptTable, RunTable, SampleTable

N_BINS = 5
WRONG_SHARES = (0.55, 0.25, 0.12, 0.08)
PROMPT_TOKENS, COMPLETION_TOKENS = 20, 80
SMALL_PARAMS = 1_000_000
FLOPS_PER_SMALL_SAMPLE = 2.0 * SMALL_PARAMS * (PROMPT_TOKENS + COMPLETION_TOKENS)
BUDGETS = (1, 4, 16, 24, 48, 64, 100)
LARGER_LOGIT, LARGER_COST = 1.2, 14
BIN_WORDS = ("trivial", "simple", "middling", "thorny", "fiendish")
FILLER = ("garden", "river", "apples", "train", "window", "paper", "music", "stone", "bottle", "market")
MODELS = {
    "small": ModelCard(name="small", active_params=SMALL_PARAMS, tokens_per_second=100.0),
    "larger": ModelCard(name="larger", active_params=LARGER_COST * SMALL_PARAMS, tokens_per_second=20.0),
    "verifier": ModelCard(name="verifier", kind="orm", active_params=SMALL_PARAMS / 2, tokens_per_second=200.0),
}


def _arms() -> tuple[Arm, ...]:
    sizes = (1, 2, 4, 8, 16, 32, 64)
    small = [Arm(generator="small", selection="first" if n == 1 else "majority_vote", breadth=n) for n in sizes]
    verified = [
        Arm(generator="small", verifier="verifier", selection=selection, breadth=n)
        for selection, n in product(("best_of_n", "weighted_vote"), sizes)
        if n > 1  # one sample needs no choice
    ]
    larger = [Arm(generator="larger", selection="first" if n == 1 else "majority_vote", breadth=n) for n in (1, 2, 4)]
    return (*small, *verified, *larger)


ARMS = _arms()


@dataclass(frozen=True)
class Prompts:
    """Simulated prompts; logits of the small generator's pass@1, bin 0 the easiest."""

    logit: np.ndarray
    bin: np.ndarray
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def table(self) -> PromptTable:
        n = len(self)
        return PromptTable(tuple(f"p{i}" for i in range(n)), self.texts, ("world",) * n, ({},) * n)


def draw_prompts(n_per_bin: int, rng: np.random.Generator, *, correlation: float | None = None) -> Prompts:
    """Prompts, `n_per_bin` in each quintile. The text tells the bin, or a signal of `correlation` with the logit."""
    bins = np.repeat(np.arange(N_BINS), n_per_bin)
    z = norm.ppf((N_BINS - 1 - bins + rng.uniform(0.001, 0.999, len(bins))) / N_BINS)
    order = rng.permutation(len(bins))
    bins, z = bins[order], z[order]
    if correlation is None:
        words = [f"a {BIN_WORDS[b]} problem" for b in bins]
    else:
        signal = correlation * z + np.sqrt(1 - correlation**2) * rng.standard_normal(len(z))
        steps = np.clip(np.round(7 - 2.5 * signal), 1, 14).astype(int)
        words = [" then".join([" add"] * n) for n in steps]
    return Prompts(0.3 + 1.8 * z, bins, tuple(f"{_filler(rng)}: {word}, item {i}" for i, word in enumerate(words)))


def _filler(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(FILLER, 3))


def draw_samples(logit: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Answer codes (0 is right) and verifier scores in 0..1, (prompts, n)."""
    shape = (len(logit), n)
    right = rng.random(shape) < expit(logit)[:, None]
    answer = np.where(right, 0, 1 + rng.choice(len(WRONG_SHARES), shape, p=WRONG_SHARES))
    score = expit(right + rng.standard_normal(shape) - 0.5)
    return answer, score


def pooled_logs(prompts: Prompts, rng: np.random.Generator, *, n_small: int = 64, n_larger: int = 64) -> Logs:
    """Every prompt with samples of both generators; the verifier scores the small one's."""
    small, scores = draw_samples(prompts.logit, n_small, rng)
    larger, _ = draw_samples(prompts.logit + LARGER_LOGIT, n_larger, rng)
    samples = _join(
        _samples(0, small, scores, first_run=0),
        _samples(1, larger, np.full(larger.shape, np.nan), first_run=len(prompts)),
    )
    pools = (Pool("small", "verifier"), Pool("larger"))
    return Logs(prompts.table(), pools, samples, (), _runs([], [], [], []), _no_samples(), MODELS)


def single_arm_logs(n_per_cell: int, rng: np.random.Generator, *, correlation: float | None = None) -> Logs:
    """One run of one arm on every prompt: `n_per_cell` in each (bin, arm)."""
    prompts = draw_prompts(n_per_cell * len(ARMS), rng, correlation=correlation)
    arm = np.empty(len(prompts), dtype=int)
    for b in range(N_BINS):
        rows = np.flatnonzero(prompts.bin == b)
        arm[rows] = rng.permutation(np.arange(len(rows)) % len(ARMS))
    correct = [_carry_out(ARMS[a], logit, rng) for a, logit in zip(arm, prompts.logit, strict=True)]
    runs = _runs(arm, range(len(prompts)), correct, [ARMS[a].breadth for a in arm])
    verified = np.array([ARMS[a].verifier is not None for a in arm])
    tokens = np.where(verified, runs.prompt_tokens + runs.completion_tokens, 0).astype(np.float32)
    runs = RunTable(**{**vars(runs), "verifier_tokens": tokens})
    return Logs(prompts.table(), (), _no_samples(), ARMS, runs, _no_samples(), MODELS)


def probes(logit: float, k: int, rng: np.random.Generator) -> list[Probe]:
    """`k` samples of the small generator, as one has them before anything is graded."""
    answer, score = draw_samples(np.array([logit]), k, rng)
    return [
        Probe(
            answer=str(a),
            score=float(s),
            generator="small",
            prompt_tokens=PROMPT_TOKENS,
            completion_tokens=COMPLETION_TOKENS,
        )
        for a, s in zip(answer[0], score[0], strict=True)
    ]


def true_accuracy(arms: tuple[Arm, ...], *, n_per_bin: int = 4000, seed: int = 1) -> np.ndarray:
    """(bins, arms) accuracy of each arm, by plain simulation of many prompts."""
    rng = np.random.default_rng(seed)
    prompts = draw_prompts(n_per_bin, rng)
    outcome = np.empty((len(prompts), len(arms)))
    samples = {
        "small": draw_samples(prompts.logit, 64, rng),
        "larger": draw_samples(prompts.logit + LARGER_LOGIT, 64, rng),
    }
    for column, arm in enumerate(arms):
        answer, score = samples[arm.generator]
        outcome[:, column] = select(arm.selection, answer[:, : arm.breadth], score[:, : arm.breadth])
    return np.stack([outcome[prompts.bin == b].mean(0) for b in range(N_BINS)])


def true_cost(arms: tuple[Arm, ...]) -> np.ndarray:
    """Cost of each arm in units of one small sample: verifier half a generation, larger generator 14."""
    return np.array(
        [a.breadth * (LARGER_COST if a.generator == "larger" else 1.5 if a.verifier else 1.0) for a in arms]
    )


def regret_points(
    truth: np.ndarray, arms: tuple[Arm, ...], bins: np.ndarray, chosen: np.ndarray, budget: float
) -> float:
    """Mean over prompts: accuracy of their bin's best arm within the budget less that of the chosen one, in points."""
    affordable = true_cost(arms) <= budget * (1 + 1e-6)
    best = np.where(affordable, truth, -1).max(1)
    gap = best[bins] - truth[bins, chosen]
    return 100 * float(np.mean([gap[bins == b].mean() for b in np.unique(bins)]))


def select(selection: str, answer: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Chance that the chosen answer is right, ties shared, by row."""
    if selection == "best_of_n":
        return np.asarray(np.take_along_axis(answer, score.argmax(1)[:, None], 1)[:, 0] == 0, dtype=float)
    weight = score if selection == "weighted_vote" else np.ones(answer.shape)
    votes = np.stack([np.where(answer == code, weight, 0).sum(1) for code in range(len(WRONG_SHARES) + 1)], 1)
    top = votes >= votes.max(1, keepdims=True) - 1e-12
    return np.asarray(top[:, 0] / top.sum(1))


def _carry_out(arm: Arm, logit: float, rng: np.random.Generator) -> float:
    answer, score = draw_samples(
        np.array([logit + (LARGER_LOGIT if arm.generator == "larger" else 0)]), arm.breadth, rng
    )
    return float(rng.random() < select(arm.selection, answer, score)[0])


def _samples(pool: int, answer: np.ndarray, score: np.ndarray, *, first_run: int) -> SampleTable:
    n_prompts, n = answer.shape
    size = answer.size
    ints = {
        "pool": np.full(size, pool),
        "prompt": np.repeat(np.arange(n_prompts), n),
        "run": first_run + np.repeat(np.arange(n_prompts), n),
        "chain": np.tile(np.arange(n), n_prompts),
        "attempt": np.zeros(size),
        "answer": answer.ravel(),
    }
    verified = not np.isnan(score).all()
    floats = {
        "correct": answer.ravel() == 0,
        "score": score.ravel(),
        "score_min": score.ravel(),
        "prompt_tokens": np.full(size, PROMPT_TOKENS),
        "completion_tokens": np.full(size, COMPLETION_TOKENS),
        "verifier_tokens": np.full(size, PROMPT_TOKENS + COMPLETION_TOKENS if verified else np.nan),
        "latency_seconds": np.full(size, np.nan),
    }
    columns: dict[str, Any] = {name: column.astype(np.int32) for name, column in ints.items()}
    columns |= {name: column.astype(np.float32) for name, column in floats.items()}
    return SampleTable(**columns)


def _join(*tables: SampleTable) -> SampleTable:
    return SampleTable(**{name: np.concatenate([getattr(t, name) for t in tables]) for name in vars(tables[0])})


def _no_samples() -> SampleTable:
    return _samples(0, np.zeros((0, 1), dtype=int), np.zeros((0, 1)), first_run=0)


def _runs(arm: object, prompt: object, correct: object, generations: object) -> RunTable:
    n = np.array(generations, dtype=np.float32)
    unknown = np.full(len(n), np.nan, np.float32)
    return RunTable(
        arm=np.array(arm, dtype=np.int32),
        prompt=np.array(prompt, dtype=np.int32),
        correct=np.array(correct, dtype=np.float32),
        generations=n,
        prompt_tokens=n * PROMPT_TOKENS,
        completion_tokens=n * COMPLETION_TOKENS,
        verifier_tokens=unknown.copy(),
        usd=unknown,
        latency_seconds=unknown,
    )
