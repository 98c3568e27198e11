"""Choosing a generator under a mean USD budget, on real public logs: `python -m tests.bench.generators`.

Five folds by prompt, equal texts in one fold; generators logged on 98% of the prompts or more; eight budgets evenly
spaced in log from the cheapest to the dearest arm of the hull of the training prompts; the yardstick is the mixture
hull chosen on the training prompts, at the policy's realised mean cost; a missing outcome is left out of both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.core import Budget
from planner.curves.logs import Logs
from planner.curves.tabulation import tabulate
from planner.policy.fit import fit_policy
from planner.policy.folds import fold_of_prompts
from planner.policy.held_out import HeldOut, Played, play
from planner.policy.yardstick import MixtureYardstick
from tests.bench.logs import public_logs
from tests.bench.readme import markdown_table, write_figures

LEAST_LOGGED = 0.98
N_FOLDS, N_BUDGETS = 5, 8
TARGETS = {"zeroeval": 0.9, "mmlu_pro": 0.9}


@dataclass(frozen=True)
class Gains:
    """Accuracy over the mixture hull in points, its standard error, and spent over budgeted cost; (budgets,)."""

    gain: np.ndarray
    stderr: np.ndarray
    spent: np.ndarray


def measure(logs: Logs, *, n_prompts: int | None = None, seed: int = 0) -> Gains:
    """Gains on held-out prompts; `n_prompts` takes a random part of the logs."""
    table = tabulate(logs, seed=seed, cascades=False)
    if n_prompts is not None and n_prompts < len(table.prompts):
        rows = np.random.default_rng(seed).choice(len(table.prompts), n_prompts, replace=False)
        table = table.take_prompts(np.sort(rows))
    table = table.take_arms(np.flatnonzero(np.isfinite(table.outcome).mean(axis=0) >= LEAST_LOGGED))
    fold = fold_of_prompts(table.prompts, N_FOLDS, seed)
    gain, spent, difference = [], [], []
    for k in range(N_FOLDS):
        train, test = table.take_prompts(np.flatnonzero(fold != k)), table.take_prompts(np.flatnonzero(fold == k))
        policy = fit_policy(train, seed=seed)
        held = HeldOut.of(policy, train, test, "usd")
        hull = MixtureYardstick.of([held], [np.ones(len(table.arms), dtype=bool)])
        means = np.geomspace(*hull.cost_range, N_BUDGETS)
        budgets = {str(i): Budget(mean_usd=mean) for i, mean in enumerate(means)}
        played = play(held, policy.believe(held.prompts), budgets, seed=seed)
        found = [_against(played[name], hull) for name in budgets]
        difference.append([gained for gained, _ in found])
        gain.append([gained.mean() for gained, _ in found])
        spent.append([cost / mean for (_, cost), mean in zip(found, means, strict=True)])
    errors = [np.concatenate([fold[i] for fold in difference]) for i in range(N_BUDGETS)]
    stderr = np.array([100 * error.std() / np.sqrt(len(error)) for error in errors])
    return Gains(100 * np.mean(gain, axis=0), stderr, np.mean(spent, axis=0))


def _against(played: Played, hull: MixtureYardstick) -> tuple[np.ndarray, float]:
    """Outcome less the hull's, by prompt, at equal realised mean cost; and that cost."""
    known = np.isfinite(played.outcome) & np.isfinite(played.cost)
    cost = float(played.cost[known].mean())
    mixture = hull.at(cost, known)
    both = known & np.isfinite(mixture.outcome)
    return played.outcome[both] - mixture.outcome[both], cost


def main() -> None:
    """Measure both data sets, print, write."""
    rows = []
    for name, target in TARGETS.items():
        gains = measure(public_logs(name))
        each = ", ".join(f"{gain:+z.1f}" for gain in gains.gain)
        in_errors = (gains.gain / gains.stderr).min()
        rows.append([name, f"{gains.gain.mean():+z.2f}", f"{target:+z.1f}", each, f"{in_errors:+z.1f}"])
    header = ["logs", "mean gain, points", "wanted", "by budget, cheapest to dearest", "least gain in standard errors"]
    text = markdown_table(header, rows)
    print(text)
    write_figures("generators", text)


if __name__ == "__main__":
    main()
