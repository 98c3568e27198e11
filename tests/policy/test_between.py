"""Arms that are forced but not fitted themselves."""

from __future__ import annotations

import pytest

from planner import Arm, Budget, Planner
from planner.errors import InvalidInput
from planner.policy.between import place_of

PROMPT = "Start with 11. Multiply by 5. How many now?"


def vote(breadth: int, **more: object) -> Arm:
    return Arm(generator="g", verifier="v", selection="best_of_n", breadth=breadth, **more)


def test_an_arm_stands_between_its_neighbours_in_the_logarithm_of_its_breadth():
    place = place_of(vote(8), [vote(4), vote(16), vote(64)])
    assert (place.lower.breadth, place.upper.breadth, place.share, place.past_the_log) == (4, 16, 0.5, False)


def test_past_the_largest_breadth_is_past_the_log():
    assert place_of(vote(128), [vote(4), vote(64)]).past_the_log


@pytest.mark.parametrize("arm", [vote(8, depth=2), vote(8, search="beam_search"), Arm(generator="other", breadth=8)])
def test_what_differs_in_more_than_breadth_has_no_place(arm):
    assert place_of(arm, [vote(4), vote(16)]) is None


def test_a_forced_breadth_is_forecast_between_the_fitted_ones(home):
    with Planner.open() as planner:
        arms = {n: Arm(generator="lab-small", verifier="lab-prm", selection="best_of_n", breadth=n) for n in (4, 6, 8)}
        low, middle, high = (planner.recommend(PROMPT, Budget(max_tokens=1e6), arm=arms[n]).forecast for n in (4, 6, 8))
        assert min(low.accuracy, high.accuracy) <= middle.accuracy <= max(low.accuracy, high.accuracy)
        assert middle.cost.generations == pytest.approx(6, rel=1e-3)
        assert not middle.extrapolated


def test_a_breadth_past_the_log_is_marked_and_its_interval_wider(home):
    with Planner.open() as planner:
        arms = [Arm(generator="lab-small", verifier="lab-prm", selection="best_of_n", breadth=n) for n in (12, 99)]
        known = max(
            (arm for arm in planner.policy.arms if arm.model_copy(update={"breadth": 99}) == arms[1]),
            key=lambda a: a.breadth,
        )
        inside, outside = (
            planner.recommend(PROMPT, Budget(max_tokens=1e6), arm=arm).forecast for arm in (known, arms[1])
        )
        assert outside.extrapolated
        assert outside.accuracy == inside.accuracy
        assert outside.accuracy_low < inside.accuracy_low
        assert outside.cost.generations == pytest.approx(99, rel=1e-3)


def test_what_nothing_fitted_is_like_is_refused(home):
    with Planner.open() as planner, pytest.raises(InvalidInput, match="not among"):
        planner.recommend(PROMPT, Budget(max_tokens=1e6), arm=Arm(generator="nobody", breadth=3))
