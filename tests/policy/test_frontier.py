from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.policy import mixture_hull, pareto_frontier

POINTS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=1, max_size=30)
# Wu et al. 2024, Tables 1 and 4, MATH500 (METHODS 7): FLOPs in e12, accuracy.
ON_FRONTIER = [
    (3.4, 28.6), (3.84, 29.6), (3.92, 30.0), (19, 33.0), (109.2, 40.3), (125.4, 43.5), (136.2, 45.4), (148, 46.8),
    (708, 49.2),
]  # fmt: skip
DOMINATED = [
    (109.2, 36.1), (122.9, 39.7), (152.3, 41.0), (172.8, 45.5), (176.8, 43.9), (870, 42.8), (1000, 45.5), (1210, 46.7),
]  # fmt: skip


def test_published_frontier_is_found_among_dominated_points():
    points = [*DOMINATED[:4], *ON_FRONTIER[::-1], *DOMINATED[4:]]
    frontier = pareto_frontier([cost for cost, _ in points], [value for _, value in points])
    assert [points[i] for i in frontier] == ON_FRONTIER


def test_equal_points_leave_the_first():
    assert pareto_frontier([2, 1, 1], [5, 5, 5]) == [1]


def test_unknown_costs_are_left_out():
    assert pareto_frontier([np.nan, 1.0], [9.0, 1.0]) == [1]


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(InvalidInput, match="one length"):
        pareto_frontier([1.0], [1.0, 2.0])


@given(POINTS)
def test_no_point_beats_a_point_of_the_frontier(points):
    cost, value = zip(*points, strict=True)
    for i in pareto_frontier(cost, value):
        beaten = any((c <= cost[i] and v > value[i]) or (c < cost[i] and v >= value[i]) for c, v in points)
        assert not beaten


@given(POINTS)
def test_no_point_lies_above_the_mixture_hull(points):
    cost, value = zip(*points, strict=True)
    hull = mixture_hull(cost, value)
    assert all(v <= hull.at(c) + 1e-9 for c, v in points)


@given(POINTS, st.floats(0, 40))
def test_a_mixture_costs_and_is_worth_what_the_hull_says(points, at):
    cost, value = zip(*points, strict=True)
    hull = mixture_hull(cost, value)
    mixture = hull.mixture(at)
    if mixture is None:
        assert np.isnan(hull.at(at))
        return
    worth = (1 - mixture.share) * value[mixture.lower] + mixture.share * value[mixture.upper]
    spent = (1 - mixture.share) * cost[mixture.lower] + mixture.share * cost[mixture.upper]
    assert worth == pytest.approx(hull.at(at))
    assert spent == pytest.approx(min(at, hull.costs[-1]))
