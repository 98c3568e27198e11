"""Five folds of the lab's logs against the mixture hull of fixed arms: `python -m tests.bench.lab_policy`."""

# ruff: noqa: T201 - a bench prints
from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import planner.lab
from planner.core import Budget
from planner.curves.logs import Floats, Logs
from planner.policy.evaluate import Evaluation, evaluate
from planner.policy.held_out import HeldOut
from planner.policy.restrict import fitting

MEANS = (1.5e8, 2.5e8, 4e8, 7e8, 1.5e9)
CEILINGS = (1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 6.4e9)


def lab_logs() -> Logs:
    """The bundled logs, through a store as a user's own would go."""
    from planner.api import Planner
    from planner.formats import read_cards

    folder = Path(planner.lab.__file__).parent / "logs"
    with tempfile.TemporaryDirectory() as scratch, Planner.open(f"sqlite:///{scratch}/lab.db") as opened:
        opened.store.save_models(read_cards(folder / "models.json"))
        opened.import_logs([folder / "lab.samples.parquet", folder / "lab.runs.jsonl.gz"])
        return opened.store.read_logs()


def print_means(name: str, result: Evaluation) -> None:
    """Accuracy, cost and gain at every average over traffic, then what a baseline's accuracy costs."""
    for line in result.report.lines:
        if line.contender.startswith("policy") and line.gain and line.gain_fixed:
            print(
                f"{name} | {line.contender:21s} {line.budget:20s} accuracy {line.accuracy:.4f} cost {line.cost:.3g}"
                f" | own hull {line.gain.value:+.2f} [{line.gain.low:+.2f}, {line.gain.high:+.2f}]"
                f" | fixed hull {line.gain_fixed.value:+.2f} [{line.gain_fixed.low:+.2f}, {line.gain_fixed.high:+.2f}]"
            )
    own = [x for x in result.report.lines if x.contender == "policy" and x.gain_fixed is not None]
    mean = np.mean([x.gain_fixed.value for x in own if x.gain_fixed])
    print(f"{name} | mean gain over the hull of fixed arms {mean:+.2f}; coverage {result.report.coverage}")


def ceiling_gaps(folds: tuple[HeldOut, ...]) -> dict[float, float]:
    """Accuracy of the policy less that of the best mean arm that fits, in points, by ceiling."""
    gaps: dict[float, float] = {}
    for ceiling in CEILINGS:
        differences = [_gap(fold, Budget(max_flops=ceiling)) for fold in folds]
        gaps[ceiling] = 100 * float(np.nanmean(np.concatenate(differences)))
    return gaps


def _gap(fold: HeldOut, budget: Budget) -> Floats:
    policy, prompts = fold.policy, fold.prompts
    belief = policy.believe(prompts)
    forecasts = policy.budget_model.forecast(belief)
    decisions = policy.decide(forecasts, belief, budget, prompts)
    allowed = fitting(forecasts, np.ones(len(policy.arms), dtype=bool), budget.ceilings)
    plain = np.where(allowed, fold.train.accuracy, -1).argmax(axis=1)
    mine = fold.take_up(np.where(decisions.feasible, decisions.arm, -1)).outcome
    return mine - fold.take_up(np.where(allowed.any(axis=1), plain, -1)).outcome


def main() -> None:
    """Print all of it."""
    logs = lab_logs()
    budgets = [Budget(mean_flops=value) for value in MEANS]
    fixed = evaluate(logs, budgets=budgets, cascades=False, probes=())
    print_means("fixed arms", fixed)
    gaps = ceiling_gaps(fixed.folds)
    print("ceilings, fixed arms: " + ", ".join(f"{ceiling:.2g} {gap:+.2f}" for ceiling, gap in gaps.items()))
    cascades = evaluate(logs, budgets=budgets, probes=(4,))
    print_means("cascades", cascades)
    wide = evaluate(logs, probes=())
    for multiple in wide.report.multiples:
        print(f"{multiple.baseline}: {multiple.accuracy:.4f} at 1/{multiple.times or float('nan'):.1f} of its FLOPs")


if __name__ == "__main__":
    sys.exit(main())
