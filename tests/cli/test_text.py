"""Recommendations as text that people read."""

from __future__ import annotations

import pytest

from planner.cli.text import recommendation_row, recommendation_text
from planner.core import Alternative, Arm, Cost, Difficulty, Forecast, Recommendation

COST = Cost(generations=1)
FORECAST = Forecast(
    accuracy=0.5, accuracy_low=0.4, accuracy_high=0.6, cost=COST, cost_worst=COST, n_prompts=9, n_runs=9
)


def plan(*bins: float) -> Recommendation:
    difficulty = Difficulty(
        pass_rate=0.5, bin_probabilities=bins, most_likely_bin=1 + bins.index(max(bins)), source="prior"
    )
    return Recommendation(
        recommendation_id="r", prompt_id="p", budget=None, arm=Arm(generator="small"), forecast=FORECAST,
        difficulty=difficulty, reason="because", policy_id="x",
    )  # fmt: skip


def test_the_most_likely_bin_is_named():
    assert "bin 2 of 3 (0.20 0.50 0.30)" in recommendation_text(plan(0.2, 0.5, 0.3))
    assert recommendation_row(plan(0.2, 0.5, 0.3))[-1] == "2"


@pytest.mark.parametrize("bins", [(0.2,) * 5, (0.2001, 0.2, 0.2, 0.2, 0.1999)])
def test_where_all_bins_are_alike_none_is_named(bins):
    text = recommendation_text(plan(*bins))
    assert "unknown (0.20 0.20 0.20 0.20 0.20)" in text
    assert "bin 1" not in text
    assert recommendation_row(plan(*bins))[-1] == "-"


def test_two_bins_of_equal_chance_among_others_are_not_unknown():
    assert "bin 1 of 3 (0.40 0.40 0.20)" in recommendation_text(plan(0.4, 0.4, 0.2))


def test_the_verifier_is_told_and_that_of_a_runner_up_where_it_is_another():
    one, other = (Arm(generator="small", verifier=v, selection="best_of_n", breadth=4) for v in ("orm", "prm"))
    own = plan(0.5, 0.3, 0.2)
    rivals = tuple(Alternative(arm=arm, forecast=FORECAST) for arm in (one, other))
    lines = recommendation_text(own.model_copy(update={"arm": one, "alternatives": rivals}), explain=True).splitlines()
    assert "verifier    orm" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("runner-up")] == [
        "runner-up 1 small best_of_n 4", "runner-up 2 small best_of_n 4, scored by prm",
    ]  # fmt: skip
