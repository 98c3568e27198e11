from __future__ import annotations

import pytest
from trees import Tree, arm, texts

AFTER = {
    "": ["a", "b", "c", "d"],
    "a\n": ["x", "1."],
    "b\n": ["2.", "3."],
    "c\n": ["7."],
    "d\n": ["8."],
    "a\nx\n": ["4.", "5."],
}
WORTH = {"a": 0.6, "b": 0.5, "a\nx\n4.": 0.1, "b\n2.": 0.9, "b\n3.": 0.2, "a\n1.": 0.3}


def test_simulations_go_where_the_bound_leads():
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("mcts", 3, children=2, exploration=0))
    # 1: a (.6) is rolled out, its end is worth .1: a is then worth .35. 2: so b (.5) is expanded, and b 2. is an end.
    # 3: b is worth .7 and its child 2. more than 3.: a finished answer costs nothing more.
    assert tree.asked == [("", 2), ("a\n", 1), ("b\n", 2)]
    assert texts(result) == ["a\nx\n4.", "b\n2.", "b\n2."]
    assert [one.score for one in result.samples] == [0.1, 0.9, 0.9]


def test_exploration_leads_to_what_is_little_known():
    narrow, wide = (Tree(AFTER, {"a": 0.9, "a\nx\n4.": 0.9, "b": 0.4}) for _ in range(2))
    narrow.run(arm("mcts", 2, children=2, exploration=0))
    wide.run(arm("mcts", 2, children=2, exploration=10))
    assert narrow.asked[2:] == [("a\n", 2), ("a\nx\n", 1)]
    assert wide.asked[2:] == [("b\n", 2)]


def test_a_rollout_goes_to_the_end_in_one_request():
    tree = Tree(AFTER, WORTH)
    tree.run(arm("mcts", 2, children=2))
    rollout = tree.generated[1]
    assert (rollout.prefix, rollout.stop, rollout.n, rollout.max_tokens) == ("a\n", (), 1, 50)


def test_equal_children_are_one():
    tree = Tree({"": ["a"], "a\n": ["1."]})
    result = tree.run(arm("mcts", 4))
    # the second simulation expands a, the others end at its one child
    assert tree.asked == [("", 4), ("a\n", 1), ("a\n", 4)]
    assert texts(result) == ["a\n1."] * 4


@pytest.mark.parametrize(
    ("params", "widths"),
    [({"children": 2}, [2, 2]), ({"children": 2, "root_children": 4}, [4, 2]), ({"children": 3}, [3, 3])],
)
def test_the_root_may_have_more_children(params, widths):
    tree = Tree(AFTER, {"a": 0.9, "a\nx\n4.": 0.9})
    tree.run(arm("mcts", 4, exploration=0, simulations=4, **params))
    expansions = [n for request, (_, n) in zip(tree.generated, tree.asked, strict=True) if request.stop]
    assert expansions[:2] == widths


@pytest.mark.parametrize(("breadth", "params", "n"), [(5, {}, 5), (1, {"simulations": 7}, 7)])
def test_each_simulation_gives_a_candidate_and_counts_at_most_one_generation(breadth, params, n):
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("mcts", breadth, **params))
    assert len(result.samples) == n
    assert tree.generations <= n


def test_interrupted_in_its_first_rollout_it_leaves_its_best_step():
    result = Tree(AFTER, WORTH).interrupted(arm("mcts", 4), after=2)
    assert [(one.text, one.status, one.score) for one in result.samples] == [("a", "truncated", 0.6)]


def test_interrupted_before_a_rollout_is_scored_it_leaves_the_rollout():
    result = Tree(AFTER, WORTH).interrupted(arm("mcts", 4), after=3)
    assert [(one.text, one.status, one.score) for one in result.samples] == [("a\nx\n4.", "ok", None)]
