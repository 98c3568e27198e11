from __future__ import annotations

import pytest
from worlds import World, drive, task

from planner.core import SEARCHES, SELECTIONS, Arm
from planner.errors import InvalidInput
from planner.strategies import carry_out, registered, selections


def test_every_search_and_selection_that_logs_may_name_can_be_carried_out():
    assert set(SEARCHES) <= set(registered())
    assert set(SELECTIONS) <= set(selections())


def test_each_strategy_says_what_it_is():
    assert all(strategy.summary and name == strategy.name for name, strategy in registered().items())
    assert all(rule.summary and name == rule.name for name, rule in selections().items())


@pytest.mark.usefixtures("third_party")
def test_a_third_party_search_is_found_and_carried_out():
    arm = Arm(generator="small", search="one_by_one", selection="shortest", breadth=3, params={"shout": True})
    assert len(drive(carry_out(arm, task()), World().serve).samples) == 3


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("no_such_module:X", "cannot be loaded"),
        ("third_party:NO_STRATEGY", "is no planner.strategies.Strategy"),
        ("third_party:TAKEN", "'sampling' .* exists already"),
        ("third_party:STRATEGY", "'one_by_one' .* is not the entry point's name, 'any'"),
    ],
)
def test_a_third_party_search_that_cannot_be_used_is_named(install, entry, problem):
    install(f"[planner.strategies]\nany = {entry}\n")
    with pytest.raises(InvalidInput, match=problem):
        registered()
