"""The means that are kept over the traffic of one process."""

from __future__ import annotations

import pytest

from planner.api.mean_budget import STEP
from planner.service.gateway.traffic import Traffic

TARGET = 0.002


def test_a_new_process_goes_on_where_the_last_one_ended():
    traffic = Traffic()
    mean = traffic.begin("usd", TARGET, [(1.2 * TARGET, TARGET), (1.3 * TARGET, None)])
    assert mean.factor == pytest.approx(1.3, rel=STEP)
    assert mean.realised == pytest.approx(TARGET)
    assert traffic.known("usd", TARGET) is mean
    assert traffic.known("usd", 2 * TARGET) is None


def test_targets_are_forgotten_beyond_a_number_of_them():
    traffic = Traffic()
    for target in range(1, 200):
        traffic.begin("tokens", float(target), ())
    assert traffic.known("tokens", 1.0) is None
    assert traffic.known("tokens", 199.0) is not None
