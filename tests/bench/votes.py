"""Stopping a vote early on public logs: `python -m tests.bench.votes` writes the table of the README.

Five folds by prompt, four splits. On the training folds the cheapest stop rule is taken that loses at most .2 points
against the full vote there; it is judged on the other fold. No verifier; cost in completion tokens. The margin of .2
was settled after margins of .3, .2 and .1 had been seen on these same logs: it is not an untouched choice.
"""

from __future__ import annotations

import numpy as np

from planner.core import Arm, Stage
from planner.curves import cascade_table, replay_cascades
from planner.curves.logs import Logs
from tests.bench.logs import public_logs
from tests.bench.readme import markdown_table, write_figures

FOLDS, SPLITS, MARGIN = 5, 4, 0.002
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
        good = np.nanmean(outcome[train], axis=0) >= np.nanmean(vote[train]) - MARGIN
        best = int(np.argmin(np.where(good, np.nanmean(cost[train], axis=0), np.inf)))
        accuracy[test], tokens[test] = outcome[test, best], cost[test, best]
    drawn = ~np.isnan(vote)
    return float(vote[drawn].mean()), float(accuracy[drawn].mean()), float(price[drawn].sum() / tokens[drawn].sum())


def main() -> None:
    """Measure, print, write."""
    rows = []
    for name, generator, n in LOGS:
        logs = public_logs(name)
        vote, accuracy, saving = np.mean([stopped(logs, generator, n, seed=seed) for seed in range(SPLITS)], axis=0)
        rows.append([f"{name}, {generator}, {n} samples", f"{vote:.3f}", f"{accuracy:.3f}", f"{saving:.2f} x"])
    text = markdown_table(["log", "full vote", "stopped", "fewer tokens"], rows)
    print(text)
    write_figures("votes", text)


if __name__ == "__main__":
    main()
