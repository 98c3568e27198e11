"""A total over a batch, shared out among its sessions."""

from __future__ import annotations

import pytest

from planner import Budget
from planner.api.share import Share
from planner.execution.ledger import Ledger


@pytest.fixture
def total():
    return Ledger({"tokens": 1200.0})


def test_a_prompts_share_is_what_is_left_over_the_prompts_that_are(total):
    share = Share(total, 12)
    assert share.of(None).mean == ("tokens", pytest.approx(100))
    total.hold({"tokens": 500})
    total.settle({"tokens": 500}, {"tokens": 650})
    share.left = 11
    assert share.of(None).mean == ("tokens", pytest.approx(50))


def test_a_prompts_own_ceilings_stand_beside_its_share(total):
    budget = Share(total, 12).of(Budget(max_flops=1e9, max_latency_seconds=4))
    assert budget.ceilings == {"flops": 1e9, "latency_seconds": 4}


def test_where_nothing_is_left_the_share_is_next_to_nothing(total):
    total.hold({"tokens": 1200})
    total.settle({"tokens": 1200}, {"tokens": 1300})
    assert 0 < Share(total, 3).of(None).mean[1] < 1e-6
