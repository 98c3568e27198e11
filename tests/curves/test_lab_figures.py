"""The outcome table of the lab's logs against the figures that the lab's own programs reported."""

from __future__ import annotations

import numpy as np
import pytest
from lab_logs import lab_logs

from planner.curves import tabulate
from planner.curves.costs import logged_cost


@pytest.fixture(scope="module")
def table():
    return tabulate(lab_logs(), cascades=False)


def accuracy(table, generator, selection, breadth=1, depth=1, *, search="sampling", params=None):
    wanted = (generator, selection, breadth, depth, search, params or {})
    found = [
        i
        for i, arm in enumerate(table.arms)
        if (arm.generator, arm.selection, arm.breadth, arm.depth, arm.search, arm.params) == wanted
    ]
    assert len(found) == 1
    return float(table.outcome[:, found[0]].mean())


# The lab's figures of lab-small are of one half of its samples.
@pytest.mark.parametrize(
    ("selection", "breadth", "reported"),
    [
        ("first", 1, 0.764),
        *(("majority_vote", n, a) for n, a in ((4, 0.797), (16, 0.808), (64, 0.812))),
        *(("weighted_vote", n, a) for n, a in ((2, 0.824), (4, 0.847), (16, 0.875), (64, 0.880))),
        *(("best_of_n", n, a) for n, a in ((2, 0.824), (4, 0.856), (16, 0.893), (64, 0.910))),
    ],
)
def test_selections_of_the_small_generator_are_those_reported(table, selection, breadth, reported):
    assert accuracy(table, "lab-small", selection, breadth) == pytest.approx(reported, abs=0.006)


@pytest.mark.parametrize(
    ("selection", "breadth", "reported"),
    [("first", 1, 0.927), ("majority_vote", 16, 0.951), ("majority_vote", 48, 0.955),
     ("weighted_vote", 4, 0.958), ("weighted_vote", 16, 0.962), ("weighted_vote", 48, 0.968),
     ("best_of_n", 4, 0.962), ("best_of_n", 48, 0.968)],
)  # fmt: skip
def test_selections_of_the_large_generator_are_those_reported(table, selection, breadth, reported):
    assert accuracy(table, "lab-large", selection, breadth) == pytest.approx(reported, abs=0.0025)


@pytest.mark.parametrize(("attempt", "reported"), [(2, 0.863), (4, 0.871), (8, 0.870)])
def test_a_chains_last_attempt_is_as_good_as_reported(table, attempt, reported):
    assert accuracy(table, "lab-reviser", "last", 1, attempt) == pytest.approx(reported, abs=0.0006)


# The lab drew 8 subsets a prompt, and a chain's winner bore the sum of its scores, not the greatest.
@pytest.mark.parametrize(
    ("breadth", "depth", "reported"),
    [(4, 1, 0.881), (8, 1, 0.902), (2, 2, 0.940), (4, 2, 0.955), (8, 2, 0.960), (1, 4, 0.943), (2, 4, 0.952),
     (4, 4, 0.964), (1, 8, 0.963), (2, 8, 0.968), (8, 8, 0.978)],
)  # fmt: skip
def test_breadth_and_depth_of_the_reviser_are_worth_what_was_reported(table, breadth, depth, reported):
    assert accuracy(table, "lab-reviser", "weighted_vote", breadth, depth) == pytest.approx(reported, abs=0.005)


BEAM, LOOKAHEAD = {"beam_width": 4}, {"beam_width": 4, "lookahead_steps": 1}
SEARCHES = [
    ("beam_search", 4, BEAM, 0.877, 0.879), ("beam_search", 16, BEAM, 0.914, 0.915),
    ("beam_search", 64, BEAM, 0.929, 0.934), ("beam_search", 64, {"beam_width": 8}, 0.925, 0.927),
    ("lookahead", 4, LOOKAHEAD, 0.871, 0.871),
    ("lookahead", 16, LOOKAHEAD, 0.905, 0.901), ("lookahead", 64, LOOKAHEAD, 0.909, 0.910),
    ("rebase", 4, {"temperature": 0.2}, 0.873, 0.875), ("rebase", 64, {"temperature": 0.2}, 0.919, 0.920),
    ("mcts", 16, {"simulations": 16, "children": 4}, 0.874, 0.877),
]  # fmt: skip


@pytest.mark.parametrize(("search", "breadth", "params", "weighted", "best"), SEARCHES)
def test_searches_and_replays_are_those_reported(table, search, breadth, params, weighted, best):
    for selection, reported in (("weighted_vote", weighted), ("best_of_n", best)):
        found = accuracy(table, "lab-small", selection, breadth, search=search, params=params)
        assert found == pytest.approx(reported, abs=0.0006)


def test_generator_prompts_and_verifier_are_counted_in_flops(table):
    flops = np.mean(logged_cost(table, "flops"), axis=0)

    def cost(generator, selection, breadth):
        wanted = (generator, selection, breadth, 1, "sampling", {})
        names = ("generator", "selection", "breadth", "depth", "search", "params")
        return flops[[tuple(getattr(arm, name) for name in names) == wanted for arm in table.arms].index(True)]

    assert cost("lab-large", "first", 1) / cost("lab-small", "first", 1) == pytest.approx(11.7, abs=0.1)
    assert cost("lab-small", "weighted_vote", 64) == pytest.approx(6.4e9, rel=0.02)  # as the lab states it


def test_every_arm_has_outcome_and_cost_on_every_prompt(table):
    assert np.isfinite(table.outcome).all()
    assert np.isfinite(logged_cost(table, "flops")).all()
    assert (table.weight > 0).all()
