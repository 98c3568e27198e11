from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import Tree, arm, texts

from planner.strategies.searches.rebase import by_reward

REWARDS = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("rewards", "temperature", "children"),
    [
        ([0.9, 0.7, 0.5, 0.3], 0.1, [14, 2, 0, 0]),
        ([0.9, 0.7, 0.5, 0.3], 0.2, [11, 4, 1, 0]),
        ([0.9, 0.85, 0.8, 0.2], 0.1, [9, 5, 2, 0]),
        ([0.5, 0.5, 0.5], 0.2, [6, 5, 5]),
        ([0.3, 0.9], 0.1, [0, 16]),
    ],
)
def test_a_width_of_sixteen_is_shared_as_published(rewards, temperature, children):
    assert by_reward(rewards, 16, temperature=temperature) == children


@given(rewards=REWARDS, width=st.integers(1, 300), temperature=st.floats(0.01, 10))
def test_the_width_is_spent_exactly(rewards, width, temperature):
    shares = by_reward(rewards, width, temperature=temperature)
    assert sum(shares) == width
    assert min(shares) >= 0


@given(rewards=REWARDS, width=st.integers(1, 300))
def test_a_greater_reward_never_has_fewer_children(rewards, width):
    shares = by_reward(rewards, width, temperature=0.2)
    distinct = sorted(set(rewards), reverse=True)
    most = [max(s for r, s in zip(rewards, shares, strict=True) if r == reward) for reward in distinct]
    assert most == sorted(most, reverse=True)


def test_every_round_shares_what_is_not_finished():
    tree = Tree(
        {"": ["a", "b", "c."], "a\n": ["1.", "x"], "b\n": ["2."], "a\nx\n": ["3."]},
        {"a": 0.9, "b": 0.7, "c.": 0.1},
    )
    result = tree.run(arm("rebase", 6, temperature=0.2))
    # a, b and c. come twice; four are left: equal chains have shares of their own, and are asked for together
    assert tree.asked == [("", 6), ("a\n", 4), ("a\nx\n", 2)]
    assert texts(result) == ["c.", "c.", "a\n1.", "a\n1.", "a\nx\n3.", "a\nx\n3."]
    assert tree.generations == 6
