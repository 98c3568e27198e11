"""A table without run ids that is imported again after it has grown: its samples would count twice, which is told."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from planner.formats import import_logs

TOLD = re.compile(r"hold all samples of runs that were imported before.*\(([^;]*); `planner logs undo ID`\)")


def table(path, n_prompts, n_samples, *, seed=0, verifier=None, **more):
    """Samples of each prompt, the same first ones for the same seed."""
    draws = [np.random.default_rng([seed, prompt]).integers(0, 9, n_samples) for prompt in range(n_prompts)]
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["prompt", "generator", "verifier", "answer", "correct", *more])
        for place in range(n_samples):
            for prompt in range(n_prompts):
                answer = int(draws[prompt][place])
                lines.writerow(
                    [
                        f"question {prompt}",
                        "small",
                        verifier,
                        answer,
                        int(answer > 4),
                        *(f(prompt) for f in more.values()),
                    ]
                )
    return path


def told(report):
    return [found[1] for warning in report.warnings if (found := TOLD.search(warning))]


def test_more_samples_of_the_same_prompts_are_told_and_doing_as_told_leaves_each_once(store, tmp_path):
    first = import_logs(store, table(tmp_path / "monday.csv", 6, 4))
    assert told(first) == []
    grown = import_logs(store, table(tmp_path / "tuesday.csv", 8, 7))
    assert told(grown) == [first.import_id]
    assert store.count().n_samples == 6 * 4 + 8 * 7
    store.undo(first.import_id)
    assert store.count().n_samples == 8 * 7


def test_a_table_that_grew_by_prompts_alone_is_one_more_import(store, tmp_path):
    import_logs(store, table(tmp_path / "monday.csv", 6, 4))
    assert told(import_logs(store, table(tmp_path / "tuesday.csv", 8, 4))) == []
    assert store.count().n_samples == 8 * 4


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"verifier": "judge"}, {"run_id": lambda prompt: f"r{prompt}"}], ids=["draws", "pool", "ids"]
)
def test_what_is_no_growth_is_not_told(store, tmp_path, other):
    import_logs(store, table(tmp_path / "monday.csv", 6, 4))
    assert told(import_logs(store, table(tmp_path / "tuesday.csv", 6, 7, **other))) == []


def test_that_a_table_has_grown_is_said_once(store, tmp_path):
    import_logs(store, table(tmp_path / "monday.csv", 6, 4))
    path = table(tmp_path / "tuesday.csv", 6, 7)
    import_logs(store, path)
    again = import_logs(store, path)
    assert again.import_id is None
    assert told(again) == []
