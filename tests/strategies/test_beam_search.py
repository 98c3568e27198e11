from __future__ import annotations

import pytest
from trees import Tree, arm, task, texts
from worlds import drive

from planner.errors import InvalidInput
from planner.strategies import carry_out
from planner.strategies.searches.beam_search import keep_best

# a and b lead to answers in two steps more, c ends at once
AFTER = {
    "": ["a", "b", "c", "d"],
    "a\n": ["x", "y"],
    "b\n": ["x"],
    "a\nx\n": ["1."],
    "a\ny\n": ["2."],
    "b\nx\n": ["3."],
}
WORTH = {
    "a": 0.9,
    "b": 0.8,
    "c": 0.2,
    "d": 0.1,
    "a\nx": 0.3,
    "a\ny": 0.7,
    "b\nx": 0.6,
    "a\ny\n2.": 0.4,
    "b\nx\n3.": 0.95,
}


@pytest.mark.parametrize(
    ("values", "width", "beam_width", "children"),
    [
        ([0.1, 0.9, 0.5, 0.7], 4, 4, [0, 4, 0, 0]),
        ([0.1, 0.9, 0.5, 0.7], 4, 2, [0, 2, 0, 2]),
        ([0.1, 0.9, 0.5, 0.7], 7, 4, [0, 4, 0, 3]),
        ([0.5, 0.5, 0.5], 4, 2, [2, 2, 0]),
        ([0.1, 0.9], 16, 4, [8, 8]),
        ([0.4], 5, 4, [5]),
        ([0.4, 0.3], 1, 1, [1, 0]),
    ],
)
def test_the_best_in_m_share_the_width_evenly(values, width, beam_width, children):
    assert keep_best(values, width, beam_width=beam_width) == children


def test_each_round_goes_on_with_the_best_steps():
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("beam_search", 4, beam_width=2))
    assert tree.asked == [("", 4), ("a\n", 2), ("b\n", 2), ("a\ny\n", 2), ("b\nx\n", 2)]
    assert texts(result) == ["a\ny\n2."] * 2 + ["b\nx\n3."] * 2
    assert result.answer == "3."


def test_a_finished_chain_takes_its_place_from_the_width():
    tree = Tree({**AFTER, "": ["a", "b", "c.", "d."]}, WORTH)
    result = tree.run(arm("beam_search", 4, beam_width=1))
    # two are left, each goes on once: c. and d. are finished
    assert tree.asked == [("", 4), ("a\n", 1), ("b\n", 1), ("a\nx\n", 1), ("b\nx\n", 1)]
    assert texts(result) == ["c.", "d.", "a\nx\n1.", "b\nx\n3."]


@pytest.mark.parametrize(("breadth", "first"), [(4, [2, 2]), (16, [4, 4, 4, 4]), (1, [1])])
def test_a_beam_width_of_sqrt_is_the_square_root_of_the_breadth(breadth, first):
    tree = Tree({"": [f"s{i}" for i in range(16)]} | {f"s{i}\n": ["e."] for i in range(16)})
    tree.run(arm("beam_search", breadth, beam_width="sqrt"))
    assert [n for prefix, n in tree.asked if prefix] == first


def test_equal_chains_are_asked_for_together_and_scored_once():
    tree = Tree({"": ["a"], "a\n": ["1.", "2."]})
    result = tree.run(arm("beam_search", 6, beam_width=2))
    assert tree.asked == [("", 6), ("a\n", 6)]
    assert [request.candidates for request in tree.verified] == [("a\n",), ("a\n1.", "a\n2.")]
    assert len(result.samples) == 6


def test_it_counts_its_breadth_in_generations():
    for breadth in (1, 4, 7, 16):
        tree = Tree(AFTER | {"c\n": ["4."], "d\n": ["5."]}, WORTH)
        result = tree.run(arm("beam_search", breadth))
        assert tree.generations == breadth == len(result.samples)


def test_steps_are_sampled_as_the_arm_or_the_task_says():
    for settings, said in (({}, (0.8, 50)), ({"temperature": 0.3, "max_tokens": 20}, (0.3, 20))):
        tree = Tree(AFTER, WORTH)
        tree.run(arm("beam_search", 4, settings=settings))
        assert {(one.temperature, one.max_tokens, one.stop) for one in tree.generated} == {(*said, ("\n",))}
        assert len({one.seed for one in tree.generated}) == len(tree.generated)


def test_a_step_may_have_a_limit_of_its_own():
    tree = Tree(AFTER, WORTH)
    tree.run(arm("beam_search", 4, max_step_tokens=26))
    assert {one.max_tokens for one in tree.generated} == {26}


def test_what_is_unfinished_after_the_last_round_ends_as_it_is():
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("beam_search", 4, beam_width=2, max_steps=2))
    assert texts(result) == ["a\nx", "a\ny", "b\nx", "b\nx"]
    assert {(one.status, one.answer) for one in result.samples} == {("truncated", None)}


def test_a_server_that_does_not_tell_ends_is_asked_on_until_there_is_an_answer():
    told, silent = Tree(AFTER, WORTH), Tree(AFTER, WORTH, tells=False)
    plan = arm("beam_search", 4, beam_width=2)
    assert told.run(plan) == silent.run(plan)
    assert told.generated == silent.generated


def test_interrupted_before_anything_is_finished_it_leaves_its_best_chain_as_it_is():
    result = Tree(AFTER, WORTH).interrupted(arm("beam_search", 4, beam_width=2), after=4)
    assert [(one.text, one.status, one.score) for one in result.samples] == [("a\ny", "truncated", 0.7)]


def test_interrupted_before_it_has_scores_it_leaves_what_is_finished():
    tree = Tree({**AFTER, "": ["a", "c."]}, WORTH)
    result = tree.interrupted(arm("beam_search", 2, beam_width=2), after=1)
    assert [(one.text, one.status, one.score) for one in result.samples] == [("c.", "ok", None)]


def test_chains_that_were_not_granted_at_the_start_are_not_drawn_later():
    tree = Tree(AFTER, WORTH)

    def serve(request):
        reply = tree.serve(request)
        return reply[:2] if len(tree.generated) == 1 else reply

    result = drive(carry_out(arm("beam_search", 4, beam_width=2), task()), serve)
    assert len(result.samples) == 2


def test_a_candidate_bears_the_cost_of_its_chain():
    (one, *_) = Tree(AFTER, WORTH).run(arm("beam_search", 4, beam_width=2)).samples
    assert (one.prompt_tokens, one.completion_tokens, one.verifier_tokens) == (9, 3, 3)


def test_without_a_verifier_it_says_what_to_do():
    with pytest.raises(InvalidInput, match="name a verifier, or use tree_of_thoughts"):
        Tree(AFTER).run(arm("beam_search", 4, verifier=None, selection="majority_vote"))
