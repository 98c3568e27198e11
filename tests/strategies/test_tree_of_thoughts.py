from __future__ import annotations

import pytest
from trees import Tree, arm, task, texts
from worlds import drive

from planner.core import Completion, Generate
from planner.strategies import carry_out
from planner.strategies.judgement import read_value

AFTER = {
    "": ["a", "b", "c", "d"],
    "a\n": ["x", "y"],
    "b\n": ["x", "1."],
    "c\n": ["z", "z"],
    "a\nx\n": ["2."],
    "a\ny\n": ["3."],
}
WORTH = {"a": 0.9, "b": 0.8, "c": 0.3, "a\nx": 0.2, "a\ny": 0.6, "b\nx": 0.1, "b\n1.": 0.7, "a\ny\n3.": 0.5}


def test_the_best_states_of_a_level_go_on_with_so_many_proposals_each():
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("tree_of_thoughts", 4, states=2, proposals=2))
    # of the second level a y and the answer b 1. are kept: only a y goes on
    assert tree.asked == [("", 4), ("a\n", 2), ("b\n", 2), ("a\ny\n", 2)]
    assert texts(result) == ["b\n1.", "a\ny\n3.", "a\ny\n3."]
    assert result.answer == "1."


def test_it_ends_where_only_answers_are_kept():
    tree = Tree({"": ["1.", "a"]}, {"1.": 0.9, "a": 0.1})
    result = tree.run(arm("tree_of_thoughts", 2, states=1, proposals=2))
    assert tree.asked == [("", 2)]
    assert texts(result) == ["1."]


def test_it_keeps_as_many_states_as_make_the_breadth():
    tree = Tree({"": [f"s{i}" for i in range(8)]} | {f"s{i}\n": ["1."] for i in range(8)})
    tree.run(arm("tree_of_thoughts", 8, proposals=2))
    assert tree.asked == [("", 8), *[(f"s{i}\n", 2) for i in range(4)]]


def test_it_finishes_no_more_answers_than_its_breadth():
    tree = Tree({"": ["a", "1."], "a\n": ["b", "2."], "a\nb\n": ["3."]}, {"a": 0.9, "a\nb": 0.9})
    result = tree.run(arm("tree_of_thoughts", 4, states=2, proposals=4))
    assert len(result.samples) == 4
    assert tree.generations == 4


def test_states_at_the_depth_limit_are_answered_in_one_go():
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("tree_of_thoughts", 4, states=1, proposals=4, max_steps=1))
    assert [(request.prefix, request.stop) for request in tree.generated] == [("", ("\n",)), ("a\n", ())]
    assert [(one.text, one.status, one.score) for one in result.samples] == [("a\nx\n2.", "ok", 0.5)]


def test_without_a_verifier_the_generator_judges_each_state_once_for_a_generation():
    tree, questions = Tree(AFTER), []

    def serve(request):
        if isinstance(request, Generate) and len(request.messages) > 1:
            questions.append(request)
            right = request.messages[1].content.rstrip("\n") in {"b", "b\n1."}
            return (Completion(f"I see. Value: {9 if right else 2}", prompt_tokens=5, completion_tokens=4),)
        return tree.serve(request)

    plan = arm("tree_of_thoughts", 4, states=1, proposals=2, verifier=None)
    result = drive(carry_out(plan, task()), serve)
    assert tree.asked == [("", 2), ("b\n", 2)]
    assert len({question.messages for question in questions}) == len(questions)
    assert {(one.n, one.temperature, one.generations, one.stop) for one in questions} == {(1, 0.0, 1, ())}
    (chosen,) = [one for one in result.samples if one.answer == "1."]
    assert (chosen.score, chosen.verifier, chosen.verifier_tokens) == (0.9, "g", 18)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Value: 7", 0.7), ("value = 10", 1.0), ("**Value:** 3", 0.3), ("Value: 8/10", 0.8), ("Value: 80%", 0.8),
        ("Step 12 holds. 3 + 4 = 7.\nValue: 2", 0.2), ("Value: 3 at first, but then\nValue: 9", 0.9), ("6", 0.6),
        ("I give it 4 out of 5.", 0.8), ("0.75", 0.75), ("Value: 1.0", 1.0), ("Value: 15", 1.0), ("likely", 0.8),
        ("It is unlikely", 0.2), ("Sure.", 1.0), ("impossible", 0.0), ("Value: 0", 0.0), ("5/0", None), ("", None),
        ("no idea", None),
    ],
)  # fmt: skip
def test_a_value_is_read_from_what_models_write(text, value):
    assert read_value(text) == value


def test_a_state_whose_value_nobody_could_tell_is_not_worthless():
    tree = Tree({"": ["a", "b"], "a\n": ["1."], "b\n": ["2."]})

    def serve(request):
        if isinstance(request, Generate) and len(request.messages) > 1:
            return (Completion("Value: 1" if request.messages[1].content.startswith("a") else "hm", ended=True),)
        return tree.serve(request)

    plan = arm("tree_of_thoughts", 2, states=1, proposals=2, verifier=None, selection="majority_vote")
    assert drive(carry_out(plan, task()), serve).answer == "2."


def test_interrupted_before_anything_is_finished_it_leaves_its_best_state():
    result = Tree(AFTER, WORTH).interrupted(arm("tree_of_thoughts", 4, states=2, proposals=2), after=2)
    assert [(one.text, one.status) for one in result.samples] == [("a", "truncated")]
