"""Plans carried out live on fresh problems of the lab: `python -m tests.bench.live [--problems N] [--seed S]`.

The policy is fitted on the bundled logs; no log holds these problems. Fixed arms and cascades are judged by pools of
samples that the same models draw on the same problems, sessions by what they did. FLOPs count prompts and verifier.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.api import Planner
from planner.core import Budget, RunResult, Unit
from planner.curves.logs import Floats
from planner.policy.baselines import Mask, families, fixed_arms
from planner.policy.frontier import mixture_hull
from planner.policy.held_out import HeldOut, Played
from planner.policy.report import Interval
from planner.policy.summary import Bootstrap
from planner.policy.yardstick import MixtureYardstick, single_arm
from tests.bench.fresh import Fresh, draw, table_of
from tests.bench.live_plot import plot
from tests.bench.live_votes import votes
from tests.bench.logs import LAB_RUNS, LAB_SAMPLES, fitted
from tests.bench.readme import markdown_table, write_figures

MEANS = (1.5e8, 2.5e8, 4e8, 7e8, 1.5e9)
JUDGED = (2.5e8, 4e8, 7e8)
RIVALS = ("best_of_n", "weighted_vote", "best fixed arm", "best single arm")


@dataclass(frozen=True)
class Live:
    """Sessions at each mean budget beside what they are judged by, on the same problems."""

    sessions: Mapping[float, Played]
    fold: HeldOut
    fixed: MixtureYardstick
    cascades: MixtureYardstick
    masks: Mapping[str, Mask]
    bootstrap: Bootstrap

    def against(self, mean: float, rival: MixtureYardstick) -> Interval:
        """Points of the session over a mixture hull at the budget, or at the session's cost where that is higher."""
        session = self.sessions[mean]
        known = np.isfinite(session.outcome)
        at = max(mean, float(session.cost[known].mean()))
        return self.bootstrap.interval(session.outcome - rival.at(at, known).outcome)

    def rival(self, name: str, mean: float) -> tuple[float, float]:
        """Accuracy and cost of the family's arm that is best on the logs within what the session spent."""
        spent = max(mean, float(self.sessions[mean].cost.mean()))
        found = single_arm(self.fold, self.masks[name], spent)
        return float(np.nanmean(found.outcome)), float(np.nanmean(found.cost))

    def share_needed(self, family: str, breadth: int) -> tuple[float, float, float | None]:
        """Accuracy and cost of one arm, and the share of that cost which sessions need for it (None: not reached)."""
        arms = self.fold.table.arms
        arm = next(i for i in np.flatnonzero(self.masks[family]) if arms[i].breadth == breadth)
        accuracy, cost = self.fold.table.outcome[:, arm].mean(), self.fold.cost[:, arm].mean()
        curve = mixture_hull(
            [float(one.cost.mean()) for one in self.sessions.values()],
            [float(one.outcome.mean()) for one in self.sessions.values()],
        )
        reached = curve.values[-1] >= accuracy
        share = float(np.interp(accuracy, curve.values, curve.costs)) / cost if reached else None
        return float(accuracy), float(cost), share


def live(planner: Planner, fresh: Fresh, means: Sequence[float] = MEANS, *, seed: int = 0) -> Live:
    """Carry sessions out, and judge the policy's arms on the same problems."""
    table = fresh.table(planner.policy.arms)
    train = table_of(planner.store.read_logs(), table.arms)
    fold = HeldOut.of(planner.policy, train, table, "flops")
    everything = np.ones(len(table.arms), dtype=bool)
    return Live(
        {mean: carried_out(planner, fresh, Budget(mean_flops=mean), "flops") for mean in means},
        fold,
        MixtureYardstick.of([fold], [fixed_arms(table.arms)]),
        MixtureYardstick.of([fold], [everything]),
        families(table, planner.policy.predictor.reference_),
        Bootstrap.of(len(fresh.problems), seed),
    )


def carried_out(planner: Planner, fresh: Fresh, budget: Budget, unit: Unit) -> Played:
    """Outcome and cost of sessions on the fresh problems."""
    results = planner.run_batch(fresh.asked, budget, endpoint="lab")
    failed = [result for result in results if not isinstance(result, RunResult)]
    if failed:
        raise failed[0]
    runs = [result for result in results if isinstance(result, RunResult)]
    outcome: Floats = np.array([run.correct or 0.0 for run in runs], dtype=np.float32)
    cost: Floats = np.array([run.cost.in_unit(unit) for run in runs], dtype=np.float32)
    return Played(outcome, cost, np.full(len(runs), -1, dtype=np.intp))


def tables(found: Live) -> str:
    """What README shows."""
    header = [
        "mean budget, FLOPs",
        "accuracy",
        "spent",
        "points over the hull of fixed arms",
        "over the hull of cascades",
    ]
    rows = []
    for mean, session in found.sessions.items():
        gains = [found.against(mean, rival) for rival in (found.fixed, found.cascades)]
        shown = (f"{gain.value:+z.1f} ({gain.low:+z.1f} to {gain.high:+z.1f})" for gain in gains)
        rows.append([f"{mean:.1e}", f"{session.outcome.mean():.3f}", f"{session.cost.mean():.2e}", *shown])
    average = [np.mean([found.against(mean, r).value for mean in JUDGED]) for r in (found.fixed, found.cascades)]
    rows.append(
        [
            "**on average over " + ", ".join(f"{m:.1e}" for m in JUDGED) + "**",
            "",
            "",
            *(f"**{a:+z.2f}**" for a in average),
        ]
    )
    parts = [markdown_table(header, rows)]
    header = ["at the session's cost for", *(f"{mean:.1e}" for mean in found.sessions)]
    rows = [["session", *(f"{one.outcome.mean():.3f}" for one in found.sessions.values())]]
    rows += [[name, *(f"{found.rival(name, mean)[0]:.3f}" for mean in found.sessions)] for name in RIVALS]
    parts.append(markdown_table(header, rows))
    accuracy, cost, share = found.share_needed("best_of_n", 64)
    needed = "not reached" if share is None else f"1/{1 / share:.1f}"
    row = [["best_of_n, 64 samples of lab-small", f"{accuracy:.3f}", f"{cost:.2e}", needed]]
    parts.append(markdown_table(["accuracy of", "", "its FLOPs a prompt", "the session's share of them"], row))
    return "\n\n".join(parts)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dry", action="store_true", help="Print only: leave README and the picture as they are.")
    asked = parser.parse_args()
    with fitted(LAB_SAMPLES, LAB_RUNS) as planner:
        logged = planner.store.read_logs()  # before anything is carried out, which is logged too
        fresh = draw(planner, asked.problems, seed=asked.seed)
        found = live(planner, fresh)
        without_verifier = votes(fresh, logged)
        text = f"{asked.problems} fresh problems (seed {asked.seed}).\n\n{tables(found)}\n\n{without_verifier}"
        print(text)
        if not asked.dry:
            write_figures("live", text)
            plot(found)


if __name__ == "__main__":
    main()
