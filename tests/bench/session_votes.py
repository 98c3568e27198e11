"""Sessions without a verifier, replayed on five folds, against votes that stop early at equal cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.core import Budget, Unit
from planner.curves.cascade_draws import source
from planner.curves.logs import Logs
from planner.policy.adaptive.contest import Trial, trials_of
from planner.policy.evaluate import evaluate
from tests.bench.readme import markdown_table
from tests.bench.rivals import KINDS, adaptive_consistency, difference, early_stopping

SAMPLES = (1.5, 2, 2.5, 3, 4, 6)
"""Mean budgets, in samples of the one generator."""
FLOPS = (1e8, 1.5e8, 2.5e8, 4e8, 7e8)


@dataclass(frozen=True)
class Tried:
    """Five folds, and the rows of the logs' prompts that each was tried on."""

    trials: Sequence[Trial]
    rows: Sequence[np.ndarray]

    @classmethod
    def of(cls, logs: Logs, unit: Unit) -> Tried:
        """Learn on four folds what is tried on the fifth."""
        evaluation = evaluate(logs, probes=(), unit=unit, budgets=[Budget(**{f"mean_{unit}": 1e12})])
        trials = trials_of(logs, source(logs), evaluation, seed=0)
        assert trials is not None, "these logs are large enough"
        first = np.cumsum([0, *(len(fold.table.prompts) for fold in evaluation.folds)])
        return cls(trials, [evaluation.rows[n : n + 10**9][t.rows] for n, t in zip(first, trials, strict=False)])

    def played(self, unit: Unit, mean: float, n_prompts: int) -> tuple[np.ndarray, np.ndarray]:
        """Grade and cost (P,) of sessions that are to cost `mean` on average, NaN for prompts that were not tried."""
        grade, cost = np.full(n_prompts, np.nan), np.full(n_prompts, np.nan)
        for trial, rows in zip(self.trials, self.rows, strict=True):
            grade[rows], cost[rows] = trial.average(unit, mean)
        return grade, cost


def against_votes(name: str, logs: Logs, most: Mapping[str, int], unit: Unit) -> list[list[str]]:
    """A row for each mean budget; most: samples that the votes of each generator draw at most."""
    logs = without_scores(logs)
    tried = Tried.of(logs, unit)
    every = np.sort(np.concatenate(tried.rows))
    kinds = adaptive_consistency(logs, most, unit), early_stopping(logs, most, unit)
    sample = float(np.nanmean(kinds[0].cost[every, 0]))
    chosen = [(rows, kinds[0].hull(np.setdiff1d(every, rows))) for rows in tried.rows]
    table = []
    for mean in FLOPS if unit == "flops" else [n * sample for n in SAMPLES]:
        grade, cost = tried.played(unit, mean, len(logs.prompts))
        spent = float(np.nanmean(cost))
        rivals = [kinds[0].at(spent, chosen), *(kind.in_hindsight(spent) for kind in kinds)]
        gains = [difference(grade - rival) for rival in rivals]
        table.append([name, f"{spent:.0f}" if unit == "tokens" else f"{spent:.2e}", f"{np.nanmean(grade):.3f}", *gains])
    return table


def votes_table(rows: Sequence[Sequence[str]], first: str) -> str:
    """Rows of `against_votes` under their header."""
    over = [f"over {KINDS[0]}, chosen on the other folds", *(f"over {kind}, in hindsight" for kind in KINDS)]
    return markdown_table([first, "spent", "session", *over], rows)


def without_scores(logs: Logs) -> Logs:
    """The samples as they would be without any verifier, and no tree searches; unknown prompt tokens are left out."""
    samples = logs.samples
    nothing = np.full(len(samples), np.nan, dtype=np.float32)
    blind = replace(
        samples,
        score=nothing,
        score_min=nothing,
        verifier_tokens=np.zeros_like(nothing),
        prompt_tokens=np.nan_to_num(samples.prompt_tokens),
    )
    no_runs = {name: getattr(logs.runs, name)[:0] for name in vars(logs.runs)}
    no_leaves = {name: getattr(logs.candidates, name)[:0] for name in vars(logs.candidates)}
    return replace(
        logs,
        pools=tuple(replace(pool, verifier=None) for pool in logs.pools),
        samples=blind,
        arms=(),
        runs=replace(logs.runs, **no_runs),
        candidates=replace(logs.candidates, **no_leaves),
    )


def only(logs: Logs, generator: str) -> Logs:
    """The samples of one generator alone."""
    place = next(i for i, pool in enumerate(logs.pools) if pool.generator == generator)
    mine = logs.samples.pool == place
    columns = {name: getattr(logs.samples, name)[mine] for name in vars(logs.samples)}
    columns["pool"] = np.zeros(int(mine.sum()), dtype=np.int32)
    return replace(logs, samples=replace(logs.samples, **columns), pools=(logs.pools[place],))
