"""Five folds of the bundled logs against the mixture hull of fixed arms: `python -m tests.bench.lab_policy`."""

from __future__ import annotations

import numpy as np

from planner.core import Budget
from planner.curves.logs import Floats
from planner.policy.evaluate import Evaluation, evaluate
from planner.policy.held_out import HeldOut
from planner.policy.restrict import fitting
from tests.bench.logs import lab_logs
from tests.bench.readme import markdown_table, write_figures

MEANS = (1.5e8, 2.5e8, 4e8, 7e8, 1.5e9)
CEILINGS = (1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 6.4e9)


def gains(name: str, result: Evaluation) -> list[list[str]]:
    """A row for each average over traffic: accuracy, cost, and points over both hulls with 90% intervals."""
    lines = [line for line in result.report.lines if line.contender == "policy" and line.gain and line.gain_fixed]
    rows = [
        [
            f"{name}, mean of {mean:.1e} FLOPs",
            f"{line.accuracy:.3f}",
            f"{line.cost:.2e}",
            *(
                f"{gain.value:+z.1f} ({gain.low:+z.1f} to {gain.high:+z.1f})"
                for gain in (line.gain_fixed, line.gain)
                if gain
            ),
        ]
        for mean, line in zip(MEANS, lines, strict=True)
    ]
    fixed, own = (np.mean([getattr(line, side).value for line in lines]) for side in ("gain_fixed", "gain"))
    return [*rows, [f"**{name}, on average**", "", "", f"**{fixed:+z.2f}**", f"**{own:+z.2f}**"]]


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
    """Measure, print, write."""
    logs = lab_logs()
    budgets = [Budget(mean_flops=value) for value in MEANS]
    fixed = evaluate(logs, budgets=budgets, cascades=False, probes=())
    cascades = evaluate(logs, budgets=budgets, probes=())
    header = ["", "accuracy", "FLOPs a prompt", "points over the hull of fixed arms", "over the hull of its own arms"]
    tables = [markdown_table(header, [*gains("fixed arms", fixed), *gains("with cascades", cascades)])]

    gaps = ceiling_gaps(fixed.folds)
    header = ["ceiling, FLOPs", *(f"{ceiling:.1e}" for ceiling in gaps)]
    row = ["fixed arms, points over the best arm that fits", *(f"{gap:+z.2f}" for gap in gaps.values())]
    tables.append(markdown_table(header, [row]))

    multiples = [
        [m.baseline, f"{m.accuracy:.3f}", f"{m.cost:.2e}", "-" if m.times is None else f"1/{m.times:.1f}"]
        for m in evaluate(logs, probes=()).report.multiples
    ]
    tables.append(markdown_table(["accuracy of", "", "its FLOPs a prompt", "the planner's share of them"], multiples))
    text = "\n\n".join(tables)
    print(text)
    write_figures("lab", text)


if __name__ == "__main__":
    main()
