"""The live part of the demo: plans carried out on the embedded models, on problems that no log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.cli.common import progress
from planner.cli.text import columns
from planner.core import Arm, Budget, RunResult

if TYPE_CHECKING:
    from planner.api import Planner

N_PROBLEMS = 60
MEAN_FLOPS = 4e8
DATASET = "lab-fresh"
BEST_OF_N = Arm(generator="lab-small", verifier="lab-prm", selection="best_of_n", breadth=16)


def carried_out(planner: Planner) -> str:
    """A table of what sessions, best_of_n and the best single arm came to on the same fresh problems; all is logged."""
    from planner.lab.problems import problems

    seed = planner.store.count().n_prompts  # other problems each time that the demo is run over one store
    prompts = [
        {"prompt": one.prompt, "prompt_id": f"{DATASET}-{seed}-{i}", "reference": one.reference, "dataset": DATASET}
        for i, one in enumerate(problems(N_PROBLEMS, seed=seed))
    ]
    budget = Budget(mean_flops=MEAN_FLOPS)
    single = best_single_arm(planner, MEAN_FLOPS)
    contenders: list[tuple[str, dict[str, object]]] = [
        ("the planner, planning anew as answers come in", {"budget": budget}),
        (f"the best single arm within it: {single.label}", {"arm": single, "adapt": False}),
        (f"best of N: {BEST_OF_N.label}", {"arm": BEST_OF_N, "adapt": False}),
    ]
    rows = []
    with progress("carrying plans out on the embedded models") as report:
        for place, (name, how) in enumerate(contenders):
            report(place, len(contenders), name)
            results = planner.run_batch(prompts, endpoint="lab", **how)  # type: ignore[arg-type]
            rows.append([name, *_figures([one for one in results if isinstance(one, RunResult)])])
    head = f"{N_PROBLEMS} fresh problems, {MEAN_FLOPS:.0e} FLOPs on average, carried out and logged"
    return f"{head}\n{columns(['', 'accuracy', 'tokens a problem', 'FLOPs a problem'], rows)}"


def best_single_arm(planner: Planner, mean_flops: float) -> Arm:
    """The arm without stop rules that is most accurate over all logged prompts, of those that cost so much at most."""
    policy = planner.policy
    cost = policy.traffic.cost("flops")
    fits = np.array([arm.search != "cascade" for arm in policy.arms]) & (cost <= mean_flops)
    return policy.arms[int(np.where(fits, policy.traffic.accuracy, -1).argmax())]


def _figures(runs: list[RunResult]) -> list[str]:
    right = np.array([run.correct or 0.0 for run in runs])
    error = float(right.std() / np.sqrt(len(right)))
    tokens = np.mean([run.cost.tokens or 0.0 for run in runs])
    flops = np.mean([run.cost.flops or 0.0 for run in runs])
    return [f"{right.mean():.3f} ± {error:.3f}", f"{tokens:,.0f}", f"{flops:.2e}"]
