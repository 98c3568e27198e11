"""Sessions replayed on five folds against hulls of arms and votes that stop early: `python -m tests.bench.session`.

Everything is chosen on the other folds, but for rivals that are said to be chosen in hindsight.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from planner.core import Budget, Unit
from planner.curves.cascade_draws import source
from planner.curves.logs import Logs
from planner.policy.adaptive.contest import Trial, trials_of
from planner.policy.adaptive.logistic import Doubles
from planner.policy.baselines import fixed_arms
from planner.policy.evaluate import Evaluation, evaluate
from planner.policy.summary import Bootstrap
from planner.policy.yardstick import MixtureYardstick
from tests.bench.logs import lab_logs, public_logs
from tests.bench.readme import markdown_table, write_figures
from tests.bench.session_votes import against_votes, only, votes_table

MEANS = (1.5e8, 2.5e8, 4e8, 7e8, 1.5e9)
PUBLIC_VOTES = (("date_understanding", "gpt-3.5-turbo", 10), ("math_mixed", "DeepSeek-R1-Distill-Qwen-7B", 8))


def played(trials: Sequence[Trial], unit: Unit, mean: float) -> tuple[Doubles, Doubles]:
    """Grade and cost by prompt of sessions that are to cost `mean` on average."""
    grade, cost = (np.concatenate(v) for v in zip(*(trial.average(unit, mean) for trial in trials), strict=True))
    return grade, cost


def against_hulls(logs: Logs) -> str:
    """A row for each average over traffic."""
    evaluation = evaluate(logs, budgets=[Budget(mean_flops=mean) for mean in MEANS], probes=(), unit="flops")
    trials = _trials(logs, evaluation)
    folds = [trial.only("flops") for trial in trials]
    every = [np.ones(len(fold.policy.arms), dtype=bool) for fold in folds]
    hulls = [MixtureYardstick.of(folds, [fixed_arms(f.policy.arms) for f in folds]), MixtureYardstick.of(folds, every)]
    bootstrap = Bootstrap.of(sum(len(trial.rows) for trial in trials), 0)
    rows, gains = [], []
    for mean in MEANS:
        grade, cost = played(trials, "flops", mean)
        row = [f"{mean:.1e}", f"{grade.mean():.3f}", f"{cost.mean():.2e}"]
        for at in (float(cost.mean()), max(mean, float(cost.mean()))):
            rivals = [hull.at(at, np.ones(len(cost), dtype=bool)) for hull in hulls]
            found = [bootstrap.interval((grade - rival.outcome).astype(np.float32)) for rival in rivals]
            gains.append([gain.value for gain in found])
            row += [f"{gain.value:+z.1f} ({gain.low:+z.1f} to {gain.high:+z.1f})" for gain in found]
        rows.append(row)
    average = np.array(gains).reshape(len(MEANS), -1).mean(axis=0)
    rows.append(["**on average**", "", "", *(f"**{gain:+z.2f}**" for gain in average)])
    header = ["mean budget, FLOPs", "accuracy", "spent", *(f"{h}, {c}" for c in COSTS for h in HULLS)]
    return markdown_table(header, rows)


HULLS, COSTS = ("over fixed arms", "over cascades"), ("at equal cost", "at the budget")


def _trials(logs: Logs, evaluation: Evaluation) -> list[Trial]:
    trials = trials_of(logs, source(logs), evaluation, seed=0)
    assert trials is not None, "these logs are large enough"
    return trials


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="Print only: leave README as it is.")
    asked = parser.parse_args()
    lab = lab_logs()
    parts = [against_hulls(lab)]
    rows = against_votes("lab-small", only(lab, "lab-small"), {"lab-small": 40}, "tokens")
    for name, generator, most in PUBLIC_VOTES:
        rows += against_votes(f"{name}, {generator}", public_logs(name), {generator: most}, "tokens")
    parts.append(votes_table(rows, "without a verifier, mean budgets in tokens"))
    each = {"lab-small": 40, "lab-large": 40, "lab-reviser": 8}
    rows = against_votes("lab-small, lab-reviser, lab-large", lab, each, "flops")
    parts.append(votes_table(rows, "without a verifier, mean budgets in FLOPs, votes of whichever generator"))
    text = "\n\n".join(parts)
    print(text)
    if not asked.dry:
        write_figures("session", text)


if __name__ == "__main__":
    main()
