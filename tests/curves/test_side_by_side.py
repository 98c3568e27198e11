"""Work on several items at a time."""

from __future__ import annotations

import threading

import pytest

from planner.curves.side_by_side import side_by_side


def test_every_item_is_worked_on():
    done = {}
    side_by_side(done.__setitem__, [("a", 1), ("b", 2), ("c", 3)])
    assert done == {"a": 1, "b": 2, "c": 3}


def test_what_one_raises_is_raised():
    def work(number):
        if number == 3:
            raise ValueError(f"{number} will not do")

    with pytest.raises(ValueError, match="3 will not do"):
        side_by_side(work, [(number,) for number in range(5)])


def test_nothing_runs_on_when_it_is_over():
    before = threading.active_count()
    side_by_side(lambda _: None, [(number,) for number in range(20)])
    assert threading.active_count() == before
