"""Fixed arms replayed from pools: every selection at every breadth and depth within the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.columns import Column
from planner.curves.grades import known_grades
from planner.curves.logs import Floats, Logs, Pool
from planner.curves.selections import Rule, candidates, curves, grades_for
from planner.curves.units import Chains, Longs, budgets_of, chain_counts, chains_of, stacks
from planner.curves.usage import ChainUse, chain_latency, chain_use, generations_a_sample, pace, verifier_tokens

_CELLS = 1 << 20  # samples stacked at a time


@dataclass(frozen=True)
class PoolCurves:
    """Outcomes of rules over one pool's chains, cut at one depth.

    `values[rule]` is (prompts, breadths), NaN past a prompt's samples. `n_chains` says how many chains of
    that depth each prompt has for these rules.
    """

    depth: int
    breadths: Longs
    n_chains: Longs
    values: dict[Rule, Floats]


def pool_curves(logs: Logs, pool: int, *, seed: int = 0, grades: Floats | None = None) -> list[PoolCurves]:
    """Curves of a pool at every depth and of every rule (pass@k among them) that its logs allow.

    `grades` are those of `known_grades`, if they are at hand. Chains with an ungraded attempt are left out,
    and of rules that read scores also those with an answer that bears none.
    """
    chains = chains_of(logs.samples, pool)
    if not chains.depth:
        return []
    known = known_grades(logs.samples) if grades is None else grades
    return [
        _curves_at(logs, chains, known, int(depth), rules, rng=np.random.default_rng([seed, pool, depth, kind]))
        for depth in budgets_of(chains.length)
        for kind, rules in enumerate(_logged_rules(logs, chains, int(depth)))
    ]


def _curves_at(
    logs: Logs, chains: Chains, grades: Floats, depth: int, rules: list[Rule], *, rng: np.random.Generator
) -> PoolCurves:
    """Curves of rules that look at the same scores."""
    n_prompts = len(logs.prompts)
    usable = grades_for(logs.samples, grades, rules[0])
    stacked = list(stacks(chains, usable, depth, max_cells=_CELLS))
    held = np.zeros(n_prompts, dtype=np.int64)
    for stack in stacked:
        held[stack.prompts] = stack.rows.shape[1]
    breadths = budgets_of(held)
    values = {rule: np.full((n_prompts, len(breadths)), np.nan, dtype=np.float32) for rule in rules}
    for stack in stacked:
        found = curves(candidates(logs.samples, usable, stack), breadths, rules, rng)
        for rule in rules:
            values[rule][stack.prompts] = found[rule]
    return PoolCurves(depth, breadths, held, values)


def _logged_rules(logs: Logs, chains: Chains, depth: int) -> list[list[Rule]]:
    """Rules that the pool's logs allow: without scores, by last score, by least score."""
    rows = slice(int(chains.start[0]), int(chains.start[-1] + chains.length[-1]))
    plain = [Rule("first") if depth == 1 else Rule("last"), Rule("pass_at_k")]
    if depth == 1 and len(np.unique(chains.prompt)) == len(chains.prompt):
        return [plain]
    answers = bool((logs.samples.answer[rows] >= 0).any())
    scores = bool(np.isfinite(logs.samples.score[rows]).any())
    least = bool(np.isfinite(logs.samples.score_min[rows]).any())
    kinds = [[*plain, *([Rule("majority_vote")] if answers else [])]]
    if scores:
        votes = [Rule("filter_vote"), Rule("weighted_vote")] if answers else []
        kinds.append([*votes, Rule("best_of_n")])
    if least and answers:
        kinds.append([Rule("weighted_vote", least=True)])
    return kinds


def pool_columns(logs: Logs, pool: int, grades: Floats, *, seed: int) -> Iterator[Column]:
    """Every fixed arm of a pool with outcome, use and latency by prompt."""
    chains = chains_of(logs.samples, pool)
    if not chains.depth:
        return
    n_prompts, kind = len(logs.prompts), logs.pools[pool]
    verified = verifier_tokens(logs.samples, chains)
    use = chain_use(logs.samples, chains, n_prompts, verified)
    found = pool_curves(logs, pool, seed=seed, grades=grades)
    clock = _Clock(logs, chains, kind, verified)
    for part in found:
        drawn = chain_counts(chains, n_prompts, part.depth) > 0
        for rule, values in part.values.items():
            for place, breadth in enumerate(part.breadths):
                if not _is_arm(rule, int(breadth), part.depth):
                    continue
                outcome = values[:, place]
                arm = arm_of(kind, rule, int(breadth), part.depth)
                yield Column(
                    arm=arm,
                    outcome=outcome,
                    weight=np.where(np.isfinite(outcome), part.n_chains, 0).astype(np.float32),
                    pool=pool,
                    usage=_usage(use, logs, arm, drawn),
                    latency_seconds=clock.seconds(part, place, read=arm.verifier is not None),
                )


def _is_arm(rule: Rule, breadth: int, depth: int) -> bool:
    """One sample is the arm `first`; `last` is one chain's; every other selection needs two candidates."""
    if rule.selection in {"first", "last"}:
        return breadth == 1
    return rule.selection != "pass_at_k" and breadth * depth > 1


def arm_of(pool: Pool, rule: Rule, breadth: int, depth: int) -> Arm:
    """The arm that a rule over a pool's samples is; without a verifier where none is read."""
    return Arm(
        generator=pool.generator,
        verifier=pool.verifier if rule.needs_score else None,
        selection=rule.selection,
        breadth=breadth,
        depth=depth,
        params={**pool.params, **({"step_score": "min"} if rule.least else {})},
    )


def _usage(use: ChainUse, logs: Logs, arm: Arm, drawn: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    breadth, last = np.float32(arm.breadth), arm.depth - 1
    calls = np.float32(arm.breadth * arm.depth * generations_a_sample(arm.generator, arm.verifier, logs.models))
    generations = np.where(drawn, calls, np.float32(np.nan))
    verified = (
        np.where(drawn, np.float32(0), np.float32(np.nan))
        if arm.verifier is None
        else breadth * use.verifier_tokens[:, last]
    )
    return (
        generations,
        breadth * use.prompt_tokens[:, last],
        breadth * use.completion_tokens[:, last],
        verified,
    )


class _Clock:
    """Latency of a pool's arms, computed once for a depth and breadths, and only where a speed or a time is known."""

    def __init__(self, logs: Logs, chains: Chains, pool: Pool, verified: Floats) -> None:
        self._chains, self._n_prompts = chains, len(logs.prompts)
        self._pace = pace(logs, logs.samples.completion_tokens, verified)
        card = logs.models.get(pool.generator)
        self._max_concurrency = None if card is None else card.max_concurrency
        rows = slice(int(chains.start[0]), int(chains.start[-1] + chains.length[-1]))
        self._known = bool(np.isfinite(self._pace.seconds[rows]).any())
        self._found: dict[tuple[int, bool, tuple[int, ...]], Floats] = {}

    def seconds(self, part: PoolCurves, place: int, *, read: bool) -> Floats:
        if not self._known:
            return np.full(self._n_prompts, np.nan, dtype=np.float32)
        # Rules that read the last or the least score may hold other samples, and so other breadths.
        key = (part.depth, read, tuple(part.breadths.tolist()))
        if key not in self._found:
            by_depth = chain_latency(
                self._chains, self._pace, self._n_prompts, part.depth, part.breadths,
                read=read, max_concurrency=self._max_concurrency,
            )  # fmt: skip
            self._found[key] = by_depth[:, -1]
        return self._found[key][:, place]
