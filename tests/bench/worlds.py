"""Regrets in the simulated world of METHODS 6: `python -m tests.bench.worlds [SEEDS]`."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from planner.core import Arm, Budget, Recommendation
from planner.curves.logs import Logs
from planner.curves.table import OutcomeTable
from planner.curves.tabulation import tabulate
from planner.policy import Policy, PromptInput
from planner.policy.fit import fit_policy
from tests import simulated as world
from tests.bench.readme import markdown_table, write_figures

TRUTHS = 12  # of 4,000 prompts a bin each: one alone is off by .4 points


def fit_world(logs: Logs, seed: int) -> Policy:
    """A policy over the world's own arms."""
    return fit_policy(_own_arms(tabulate(logs, seed=seed, cascades=False)), logs=logs, seed=seed)


def _own_arms(table: OutcomeTable) -> OutcomeTable:
    place = {_key(arm): i for i, arm in enumerate(table.arms)}
    return table.take_arms([place[_key(arm)] for arm in world.ARMS])


def _key(arm: Arm) -> tuple[object, ...]:
    return arm.generator, arm.selection, arm.breadth, arm.depth


def _chosen(policy: Policy, inputs: list[PromptInput], budget: float, seed: int) -> np.ndarray:
    """Places among the world's arms of what is recommended for each prompt."""
    place = {_key(arm): i for i, arm in enumerate(world.ARMS)}
    plans = policy.recommend(inputs, Budget(max_flops=budget * world.FLOPS_PER_SMALL_SAMPLE), seed=seed)
    return np.array([place[_key(plan.arm)] for plan in plans if isinstance(plan, Recommendation)])


def regrets(policy: Policy, truth: np.ndarray, seed: int, *, correlation: float | None, n_probes: int) -> np.ndarray:
    """Mean regret over bins in points, by budget, on 100 new prompts a bin."""
    rng = np.random.default_rng([seed, 99])
    prompts = world.draw_prompts(100, rng, correlation=correlation)
    inputs = [
        PromptInput(text, probes=tuple(world.probes(logit, n_probes, rng)))
        for text, logit in zip(prompts.texts, prompts.logit, strict=True)
    ]
    out = []
    for budget in world.BUDGETS:
        chosen = _chosen(policy, inputs, budget, seed)
        out.append(world.regret_points(truth, world.ARMS, prompts.bin, chosen, budget))
    return np.array(out)


def two_fold_errors(truth: np.ndarray, seed: int, *, n_per_bin: int = 20) -> np.ndarray:
    """Estimated less true accuracy of the chosen arms in points, (folds, budgets, bins).

    The prompts of each bin are halved (METHODS 6.5): arms are chosen on one half and their outcomes reported on the
    other, then the other way round.
    """
    rng = np.random.default_rng([seed, 5])
    prompts = world.draw_prompts(n_per_bin, rng)
    logs = world.pooled_logs(prompts, rng)
    table = _own_arms(tabulate(logs, seed=seed, cascades=False))
    half = np.empty(len(prompts), dtype=int)
    for b in range(world.N_BINS):
        rows = np.flatnonzero(prompts.bin == b)
        half[rows] = rng.permutation(len(rows)) % 2
    return np.array([_errors_of(table, half, fold, truth, prompts, seed) for fold in (0, 1)])


def _errors_of(
    table: OutcomeTable, half: np.ndarray, fold: int, truth: np.ndarray, prompts: world.Prompts, seed: int
) -> np.ndarray:
    train, test = np.flatnonzero(half != fold), np.flatnonzero(half == fold)
    policy = fit_policy(table.take_prompts(train), seed=seed)
    inputs = [PromptInput(prompts.texts[row]) for row in test]
    out = []
    for budget in world.BUDGETS:
        chosen = _chosen(policy, inputs, budget, seed)
        bins = prompts.bin[test]
        error = 100 * (table.outcome[test, chosen] - truth[bins, chosen])
        out.append([error[bins == b].mean() for b in range(world.N_BINS)])
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
    truth = np.mean([world.true_accuracy(world.ARMS, seed=seed) for seed in range(1, 1 + TRUTHS)], axis=0)
    rows = [["best single arm, by the truth itself", f"{best_single(truth).mean():.2f}", "", ""]]
    for name, (make, correlation, n_probes, target) in WORLDS.items():
        found = []
        for seed in range(n_seeds):
            policy = fit_world(make(np.random.default_rng(seed)), seed)
            found.append(regrets(policy, truth, seed, correlation=correlation, n_probes=n_probes).mean())
        rows.append([name, f"{np.mean(found):.2f}", f"{target}", f"{min(found):.2f} to {max(found):.2f}"])
    regret_table = markdown_table(
        ["world", f"mean regret, {n_seeds} seeds", "wanted", "least to greatest of a seed"], rows
    )
    errors = np.array([two_fold_errors(truth, seed) for seed in range(3 * n_seeds)])
    by_seed = errors.mean(axis=(1, 2, 3))
    row = [
        "arms chosen on one half of each bin's prompts, reported on the other",
        f"{by_seed.mean():+z.2f} (standard error {by_seed.std() / np.sqrt(len(by_seed)):.2f})",
        "within .4",
        f"{np.abs(by_seed).mean():.2f}",
        f"{np.abs(errors.mean(axis=(0, 1))).mean():.2f}",
    ]
    header = [
        f"two-fold estimates, {len(errors)} seeds",
        "mean over bins and budgets of estimate less truth, points",
        "wanted",
        "mean distance of one seed (100 prompts)",
        "mean distance of one bin and budget over all seeds",
    ]
    text = f"{regret_table}\n\n{markdown_table(header, [row])}"
    print(text)
    write_figures("worlds", text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
