"""One fit at a time."""

from __future__ import annotations

import fcntl
import os
import threading

import pytest

from planner.artifacts.turn import fitting_now, turn
from planner.errors import NotReady


def test_a_second_fit_over_the_same_folder_is_refused(tmp_path):
    with turn(tmp_path, "one"), pytest.raises(NotReady, match="running"), turn(tmp_path, "two"):
        pass


def test_what_is_fitted_now_can_be_read_from_outside(tmp_path):
    with turn(tmp_path, "one") as report:
        report(3, 4, "almost")
        assert fitting_now(tmp_path) == {"fit_id": "one", "share": 0.75, "stage": "almost"}


@pytest.mark.parametrize("made", [False, True])
def test_nothing_is_fitted_where_nobody_holds_the_turn(tmp_path, made):
    if made:
        with turn(tmp_path, "one"):
            pass
    assert fitting_now(tmp_path) is None


def test_a_turn_is_not_refused_because_someone_looks_at_it_just_then(tmp_path):
    lock = os.open(tmp_path / "fit.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_SH)  # as `fitting_now` does, if only for a moment
    looking = threading.Timer(0.03, os.close, [lock])
    looking.start()
    with turn(tmp_path, "one"):
        assert fitting_now(tmp_path)["fit_id"] == "one"
    looking.join()


def test_progress_is_handed_on(tmp_path):
    seen = []
    with turn(tmp_path, "one", lambda *said: seen.append(said)) as report:
        report(1, 2, "half")
    assert seen[-1] == (1, 2, "half")
