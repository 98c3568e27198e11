"""Regrets in the simulated world of METHODS 6: `python -m tests.bench.worlds [SEEDS]`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import simulated as world

from planner.core import Arm, Budget
from planner.curves.logs import Logs
from planner.curves.tabulation import tabulate
from planner.policy import Policy, PromptInput
from planner.policy.fit import fit_policy
from tests.bench.readme import markdown_table, write_figures


def fit_world(logs: Logs, seed: int) -> Policy:
    """A policy over the world's own arms."""
    table = tabulate(logs, seed=seed, cascades=False)
    place = {_key(arm): i for i, arm in enumerate(table.arms)}
    return fit_policy(table.take_arms([place[_key(arm)] for arm in world.ARMS]), logs=logs, seed=seed)


def _key(arm: Arm) -> tuple[object, ...]:
    return arm.generator, arm.selection, arm.breadth, arm.depth


def regrets(policy: Policy, truth: np.ndarray, seed: int, *, correlation: float | None, n_probes: int) -> np.ndarray:
    """Mean regret over bins in points, by budget, on 100 new prompts a bin."""
    rng = np.random.default_rng([seed, 99])
    prompts = world.draw_prompts(100, rng, correlation=correlation)
    inputs = [
        PromptInput(text, probes=tuple(world.probes(logit, n_probes, rng)))
        for text, logit in zip(prompts.texts, prompts.logit, strict=True)
    ]
    place = {_key(arm): i for i, arm in enumerate(world.ARMS)}
    out = []
    for budget in world.BUDGETS:
        plans = policy.recommend(inputs, Budget(max_flops=budget * world.FLOPS_PER_SMALL_SAMPLE), seed=seed)
        chosen = np.array([place[_key(plan.arm)] for plan in plans])
        out.append(world.regret_points(truth, world.ARMS, prompts.bin, chosen, budget))
    return np.array(out)


def best_single(truth: np.ndarray) -> np.ndarray:
    """Regret of the best single arm for all bins (by the truth itself), by budget."""
    cost = world.true_cost(world.ARMS)
    out = []
    for budget in world.BUDGETS:
        arm = np.where(cost <= budget, truth.mean(0), -1).argmax()
        bins = np.arange(world.N_BINS)
        out.append(world.regret_points(truth, world.ARMS, bins, np.full(world.N_BINS, arm), budget))
    return np.array(out)


WORLDS: dict[str, tuple[Callable[[np.random.Generator], Logs], float | None, int, float]] = {
    "pooled logs, 20 prompts a bin x 64": (
        lambda rng: world.pooled_logs(world.draw_prompts(20, rng), rng), None, 0, 0.6,
    ),
    "single-arm logs, 20 outcomes a cell": (lambda rng: world.single_arm_logs(20, rng), None, 0, 1.2),
    "text of correlation .5 and 4 probes": (
        lambda rng: world.pooled_logs(world.draw_prompts(20, rng, correlation=0.5), rng), 0.5, 4, 1.6,
    ),
}  # fmt: skip


def main(n_seeds: int = 12) -> None:
    """Measure every world, mean over seeds; print, write."""
    truth = world.true_accuracy(world.ARMS)
    rows = [["best single arm, by the truth itself", f"{best_single(truth).mean():.2f}", "", ""]]
    for name, (make, correlation, n_probes, target) in WORLDS.items():
        found = []
        for seed in range(n_seeds):
            policy = fit_world(make(np.random.default_rng(seed)), seed)
            found.append(regrets(policy, truth, seed, correlation=correlation, n_probes=n_probes).mean())
        rows.append([name, f"{np.mean(found):.2f}", f"{target}", f"{min(found):.2f} to {max(found):.2f}"])
    text = markdown_table(["world", f"mean regret, {n_seeds} seeds", "wanted", "least to greatest of a seed"], rows)
    print(text)
    write_figures("worlds", text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
