"""Stopping a vote early on public logs: `python -m tests.bench.votes` writes the table of the README (`--dry`: not).

Five folds by prompt, four splits. On the training folds the cheapest mixture of two stop rules is taken that loses no
more than a margin against the full vote there, as a mean budget mixes two arms; it is judged on the other fold. What is
lost on other prompts is more than what is lost where one chooses: the margin is the greatest one that keeps to .3
points in folds within the training folds. No verifier; cost in completion tokens.
"""

from __future__ import annotations

import sys

import numpy as np

from planner.core import Arm, Stage
from planner.curves import cascade_table, replay_cascades
from planner.curves.logs import Floats, Logs
from planner.policy.frontier import mixture_hull
from tests.bench.logs import public_logs
from tests.bench.readme import markdown_table, write_figures

FOLDS, SPLITS, INNER_SPLITS = 5, 4, 5
LOSS = 0.003
MARGINS = np.arange(0, 1 + 1e-9, 1 / 12) * LOSS
LOGS = (
    ("date_understanding", "gpt-3.5-turbo", 10),
    ("math_mixed", "DeepSeek-R1-Distill-Qwen-7B", 8),
)


def full_vote(generator: str, n: int) -> Arm:
    """The vote that draws all its samples, as a cascade without a rule: replayed over the same orders."""
    stage = Stage(generator=generator, max_samples=n).model_dump(mode="json")
    selection = "majority_vote"
    return Arm(generator=generator, search="cascade", selection=selection, breadth=n, params={"stages": [stage]})


def stopped(logs: Logs, generator: str, n: int, *, seed: int) -> tuple[float, float, float]:
    """Accuracy of the full vote, accuracy of the stopped one, and how many times fewer tokens it drew."""
    whole = replay_cascades(logs, [full_vote(generator, n)])
    vote, price = whole.outcome[:, 0], whole.expected.completion_tokens[:, 0]
    fold = np.random.default_rng(seed).permutation(len(logs.prompts)) % FOLDS
    accuracy, tokens = np.empty(len(fold)), np.empty(len(fold))
    for held_out in range(FOLDS):
        train, test = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        table = cascade_table(logs, rows=train, seed=seed)
        arms = [i for i, arm in enumerate(table.arms) if [stage.generator for stage in arm.stages] == [generator]]
        outcome, cost = table.outcome[:, arms], table.expected.completion_tokens[:, arms]
        drawn = np.intersect1d(train, np.flatnonzero(~np.isnan(vote)))
        margin = margin_of(outcome[drawn], cost[drawn], vote[drawn], seed)
        accuracy[test], tokens[test] = mixed(outcome, cost, vote, drawn, test, margin)
    drawn = ~np.isnan(vote)
    return float(vote[drawn].mean()), float(accuracy[drawn].mean()), float(price[drawn].sum() / tokens[drawn].sum())


def mixed(
    outcome: Floats, cost: Floats, vote: Floats, train: np.ndarray, test: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and tokens on `test` of the cheapest mixture of two rules that loses `margin` on `train`."""
    hull = mixture_hull(cost[train].mean(axis=0), outcome[train].mean(axis=0))
    mixture = hull.mixture(float(np.interp(vote[train].mean() - margin, hull.values, hull.costs)))
    assert mixture is not None, "a cost on the hull"
    share, lower, upper = mixture.share, mixture.lower, mixture.upper
    accuracy, tokens = ((1 - share) * part[test, lower] + share * part[test, upper] for part in (outcome, cost))
    return accuracy, tokens


def margin_of(outcome: Floats, cost: Floats, vote: Floats, seed: int) -> float:
    """The greatest margin up to which no more than `LOSS` is lost in folds within these prompts."""
    lost = np.zeros(len(MARGINS))
    for split in range(INNER_SPLITS):
        fold = np.random.default_rng([seed, split]).permutation(len(vote)) % FOLDS
        for held_out in range(FOLDS):
            train, test = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
            for place, margin in enumerate(MARGINS.tolist()):
                own, _ = mixed(outcome, cost, vote, train, test, margin)
                lost[place] += float((vote[test] - own).sum()) / len(vote) / INNER_SPLITS
    kept = np.flatnonzero(lost > LOSS)
    return float(MARGINS[max(int(kept[0]) - 1, 0) if len(kept) else -1])


def main() -> None:
    """Measure, print, write."""
    rows = []
    for name, generator, n in LOGS:
        logs = public_logs(name)
        vote, accuracy, saving = np.mean([stopped(logs, generator, n, seed=seed) for seed in range(SPLITS)], axis=0)
        rows.append([f"{name}, {generator}, {n} samples", f"{vote:.3f}", f"{accuracy:.3f}", f"{saving:.2f} x"])
    text = markdown_table(["log", "full vote", "stopped", "fewer tokens"], rows)
    print(text)
    if "--dry" not in sys.argv:
        write_figures("votes", text)


if __name__ == "__main__":
    main()
