"""Fixed arms replayed from pools: every selection at every breadth and depth within the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Arm
from planner.curves.columns import Column
from planner.curves.logs import Floats, Logs, Pool
from planner.curves.selections import Rule, candidates, curves
from planner.curves.units import Chains, Longs, Stack, budgets_of, chain_counts, chains_of, powers_of_two, stacks
from planner.curves.usage import ChainUse, chain_latency, chain_use, pace, verifier_tokens

_CELLS = 1 << 20  # samples stacked at a time


@dataclass(frozen=True)
class PoolCurves:
    """Outcomes of one pool at one depth: `values[rule]` is (prompts, breadths), NaN past a prompt's samples.

    `n_chains` says how many graded chains of that depth each prompt has.
    """

    depth: int
    breadths: Longs
    n_chains: Longs
    values: dict[Rule, Floats]


def pool_curves(logs: Logs, pool: int, grades: Floats, *, seed: int, rules: list[Rule] | None = None) -> list[PoolCurves]:
    """Curves of a pool at depth 1, 2, 4, ... and its greatest; by default of every rule that the pool's logs allow.

    `grades` are those of `known_grades`; chains that hold an ungraded attempt are left out.
    """
    chains = chains_of(logs.samples, pool)
    if not chains.depth:
        return []
    depths = np.unique([*powers_of_two(chains.depth), *budgets_of(chains.length)[-1:]])
    return [_curves_at(logs, chains, grades, int(depth), rules, np.random.default_rng([seed, pool, depth])) for depth in depths]


def _curves_at(
    logs: Logs, chains: Chains, grades: Floats, depth: int, rules: list[Rule] | None, rng: np.random.Generator
) -> PoolCurves:
    n_prompts = len(logs.prompts)
    stacked: list[Stack] = list(stacks(chains, grades, depth, max_cells=_CELLS))
    held = np.zeros(n_prompts, dtype=np.int64)
    for stack in stacked:
        held[stack.prompts] = stack.rows.shape[1]
    breadths = budgets_of(held)
    chosen = rules or _logged_rules(logs, chains, depth)
    values = {rule: np.full((n_prompts, len(breadths)), np.nan, dtype=np.float32) for rule in chosen}
    for stack in stacked:
        found = curves(candidates(logs.samples, grades, stack), breadths, chosen, rng)
        for rule in chosen:
            values[rule][stack.prompts] = found[rule]
    return PoolCurves(depth, breadths, held, values)


def _logged_rules(logs: Logs, chains: Chains, depth: int) -> list[Rule]:
    rows = slice(int(chains.start[0]), int(chains.start[-1] + chains.length[-1]))
    rules = [Rule("first") if depth == 1 else Rule("last")]
    several = depth > 1 or len(np.unique(chains.prompt)) < len(chains.prompt)
    if not several:
        return rules
    answers = bool((logs.samples.answer[rows] >= 0).any())
    scores = bool(np.isfinite(logs.samples.score[rows]).any())
    least = bool(np.isfinite(logs.samples.score_min[rows]).any())
    rules += [Rule("majority_vote")] if answers else []
    rules += [Rule("filter_vote"), Rule("weighted_vote")] if answers and scores else []
    rules += [Rule("weighted_vote", least=True)] if answers and least else []
    rules += [Rule("best_of_n")] if scores else []
    return rules


def pool_columns(logs: Logs, pool: int, grades: Floats, *, seed: int) -> Iterator[Column]:
    """Every fixed arm of a pool with outcome, use and latency by prompt."""
    chains = chains_of(logs.samples, pool)
    if not chains.depth:
        return
    n_prompts, kind = len(logs.prompts), logs.pools[pool]
    verified = verifier_tokens(logs.samples, chains)
    use = chain_use(logs.samples, chains, n_prompts, verified)
    found = pool_curves(logs, pool, grades, seed=seed)
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
    calls = np.float32(arm.breadth * arm.depth * (2 if gives_verdicts(arm, logs) else 1))
    generations = np.where(drawn, calls, np.float32(np.nan))
    verified = np.where(drawn, np.float32(0), np.float32(np.nan)) if arm.verifier is None else breadth * use.verifier_tokens[:, last]
    return generations, breadth * use.prompt_tokens[:, last], breadth * use.completion_tokens[:, last], verified


def gives_verdicts(arm: Arm, logs: Logs) -> bool:
    """Whether the verifier is a language model asked for a verdict: such a call counts as one generation."""
    if arm.verifier is None:
        return False
    card = logs.models.get(arm.verifier)
    return arm.verifier == arm.generator or (card is not None and card.kind == "generator")


class _Clock:
    """Latency of a pool's arms, computed once for each depth and only where a speed or a time is known."""

    def __init__(self, logs: Logs, chains: Chains, pool: Pool, verified: Floats) -> None:
        self._chains, self._n_prompts = chains, len(logs.prompts)
        self._pace = pace(logs.samples, verified, logs.models.get(pool.generator), logs.models.get(pool.verifier or ""))
        rows = slice(int(chains.start[0]), int(chains.start[-1] + chains.length[-1]))
        self._known = bool(np.isfinite(self._pace.seconds[rows]).any())
        self._found: dict[tuple[int, bool], Floats] = {}

    def seconds(self, part: PoolCurves, place: int, *, read: bool) -> Floats:
        if not self._known:
            return np.full(self._n_prompts, np.nan, dtype=np.float32)
        key = (part.depth, read)
        if key not in self._found:
            by_depth = chain_latency(self._chains, self._pace, self._n_prompts, part.depth, part.breadths, read=read)
            self._found[key] = by_depth[:, -1]
        return self._found[key][:, place]

