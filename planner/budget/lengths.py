"""How long a prompt and its answers will be, relative to the logged mean: one factor a prompt and generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from planner.budget.strengths import Doubles, solve_shared

if TYPE_CHECKING:
    from planner.budget.believed import Believed
    from planner.curves.logs import Floats
    from planner.curves.table import OutcomeTable

LEAST_FACTOR, MOST_FACTOR = 0.3, 4.0
LEAST_PROMPT_FACTOR = 0.02
N_FOLDS = 5
SMOOTHING = 10.0


@dataclass(frozen=True)
class Lengths:
    """Factors of G generators.

    weights: (F + 1, G) of completion tokens on (1, features). slope: (G,) share of the mean prompt tokens that one
    character more or less than `centre` (G,) adds. prompt_share: (G,) share of the prompt in all tokens of a sample.
    """

    generators: tuple[str, ...]
    weights: Floats
    slope: Floats
    centre: Floats
    prompt_share: Floats

    @classmethod
    def fit(cls, table: OutcomeTable, belief: Believed, membership: Floats) -> Self:
        """Learn from the mean tokens of one sample of each generator on each logged prompt."""
        generators = tuple(dict.fromkeys(table.slots.generator))
        prompt = np.stack([_tokens(table, name, "prompt_tokens") for name in generators], axis=1)
        completion = np.stack([_tokens(table, name, "completion_tokens") for name in generators], axis=1)
        lines = [_line(belief.n_characters, prompt[:, g]) for g in range(len(generators))]
        expected = _by_difficulty(completion, belief.bins, membership)
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(expected > 0, completion / expected - 1, np.nan)
            share = _mean_known(prompt)
            share = share / (share + _mean_known(completion))
        return cls(
            generators,
            _shared_ridge(belief.bounded, relative).astype(np.float32),
            np.array([slope for slope, _ in lines], dtype=np.float32),
            np.array([centre for _, centre in lines], dtype=np.float32),
            np.where(np.isfinite(share), share, 0.0).astype(np.float32),
        )

    def factors(self, belief: Believed) -> Floats:
        """(P, 4, G): generations, prompt, completion and verifier tokens, relative to the mean of such difficulty."""
        features = belief.bounded
        out = np.empty((len(features), 4, len(self.generators)), dtype=np.float32)
        out[:, 0] = 1
        prompt = 1 + (belief.n_characters[:, None] - self.centre) * self.slope
        completion = 1 + self.weights[0] + features.dot(self.weights[1:])
        prompt = np.maximum(prompt, LEAST_PROMPT_FACTOR, out=out[:, 1])
        completion = np.minimum(np.maximum(completion, LEAST_FACTOR), MOST_FACTOR, out=out[:, 2])
        np.add(completion, self.prompt_share * (prompt - completion), out=out[:, 3])
        return out

    def to_state(self) -> dict[str, Any]:
        """Names and arrays."""
        return {**vars(self), "generators": list(self.generators)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The inverse of `to_state`."""
        return cls(**{**state, "generators": tuple(state["generators"])})


def _tokens(table: OutcomeTable, generator: str, kind: str) -> Doubles:
    """Mean tokens (P,) of one sample of a generator: from its pools, else of fixed arms, relative to their means."""
    by_pool = getattr(table.pools, kind)
    pools = [i for i, pool in enumerate(table.pools.pools) if pool.generator == generator]
    columns = [by_pool[:, i] for i in pools if np.isfinite(by_pool[:, i]).any()]
    if not columns:
        fixed = [
            slot
            for slot, name in enumerate(table.slots.generator)
            if name == generator and table.arms[table.slots.arm[slot]].search != "cascade"
        ]
        values = [getattr(table.expected, kind)[:, slot] for slot in fixed]
        columns = [value / np.nanmean(value) for value in values if np.nansum(value) > 0]
    if not columns:
        return np.full(len(table.prompts), np.nan)
    stacked = np.stack(columns, axis=1).astype(np.float64)
    known = np.isfinite(stacked)
    return np.where(known.any(1), np.where(known, stacked, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)


def _mean_known(tokens: Doubles) -> Doubles:
    """(G,) means over the prompts on which tokens (P, G) are logged; NaN for a generator that has none."""
    known = np.isfinite(tokens)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, tokens, 0).sum(axis=0) / known.sum(axis=0))


def _line(n_characters: Floats, tokens: Doubles) -> tuple[float, float]:
    """Slope relative to the mean, and centre, of prompt tokens over the length of the text; constant logs give 0."""
    known = np.isfinite(tokens)
    if known.sum() < 3 or np.ptp(tokens[known]) == 0 or np.ptp(n_characters[known]) == 0:
        return 0.0, 0.0
    x, y = n_characters[known].astype(np.float64), tokens[known]
    slope = float(np.cov(x, y, bias=True)[0, 1] / np.var(x))
    return max(slope, 0.0) / float(y.mean()), float(x.mean())


def _by_difficulty(tokens: Doubles, bins: Floats, membership: Floats) -> Doubles:
    """Tokens (P, G) expected from a prompt's difficulty alone."""
    known = np.isfinite(tokens)
    n = membership.T.astype(np.float64) @ known
    overall = np.where(known, tokens, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    mean = (membership.T @ np.where(known, tokens, 0) + SMOOTHING * overall) / (n + SMOOTHING)
    return np.asarray(bins.astype(np.float64) @ mean)


def _shared_ridge(features: Floats, relative: Doubles) -> Doubles:
    """Weights (F + 1, G), at the scale that is best on prompts left out; zero where lengths cannot be told."""
    design = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    known = np.isfinite(relative)
    target = np.where(known, relative, 0.0)
    noise = np.maximum((target**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1), 1e-12)
    varied = np.flatnonzero(noise > 1e-10)
    weights = np.zeros((design.shape[1], relative.shape[1]))
    if not len(varied):
        return weights
    data = _Regression(design, target[:, varied], known[:, varied], noise[varied])
    fold = np.arange(len(design)) % N_FOLDS
    better = np.zeros(len(design))
    for k in range(N_FOLDS):
        rows = fold == k
        forecast = design[rows] @ data.only(~rows).solve()
        gain = data.target[rows] ** 2 - (data.target[rows] - forecast) ** 2
        better[rows] = (np.where(data.known[rows], gain, 0) / data.noise).sum(axis=1)
    if better.mean() > 0.5 * better.std() / np.sqrt(len(better)):
        weights[:, varied] = data.solve()
    return weights


@dataclass(frozen=True)
class _Regression:
    design: Doubles
    target: Doubles
    known: Any
    noise: Doubles

    def only(self, rows: Any) -> _Regression:  # noqa: ANN401
        return replace(self, design=self.design[rows], target=self.target[rows], known=self.known[rows])

    def solve(self) -> Doubles:
        score = (self.design.T @ self.target).T / self.noise[:, None]
        gram = self.design.T @ self.design
        # Few lengths are unknown: what they would add is taken away, rather than all added up for every generator.
        missing = [self.design[~column] for column in self.known.T]
        information = np.stack([(gram - x.T @ x) / noise for x, noise in zip(missing, self.noise, strict=True)])
        return solve_shared(score, information)
