from __future__ import annotations

import pytest
from trees import Tree, arm, task, texts
from worlds import drive

from planner.core import Generate
from planner.strategies import carry_out

LONG = {"\n".join("a" * depth) + ("\n" if depth else ""): ["a"] for depth in range(6)} | {"a\n" * 6: ["1."]}
# a looks good, and its greedy next step does not; b is the other way round
AFTER = {"": ["a", "b"], "a\n": ["x"], "b\n": ["y"], "a\nx\n": ["1."], "b\ny\n": ["2."]}
WORTH = {"a": 0.9, "b": 0.1, "a\nx": 0.2, "b\ny": 0.8}


@pytest.mark.parametrize(("breadth", "steps", "generations"), [(256, 3, 1024), (16, 1, 32), (8, 0, 8)])
def test_it_counts_a_generation_for_each_chain_and_each_step_of_its_rollouts(breadth, steps, generations):
    tree = Tree(LONG)
    tree.run(arm("lookahead", breadth, lookahead_steps=steps))
    assert tree.generations == generations


def test_a_step_is_worth_the_end_of_its_rollout():
    tree = Tree(AFTER, WORTH)
    result = tree.run(arm("lookahead", 2, beam_width=2, lookahead_steps=1))
    assert set(texts(result)) == {"b\ny\n2."}
    assert tree.verified[0].candidates == ("a\nx\n", "b\ny\n")


def test_rollouts_are_greedy_and_asked_for_once():
    tree = Tree(LONG)
    tree.run(arm("lookahead", 4, lookahead_steps=2))
    greedy = [request for request in tree.generated if request.temperature == 0]
    assert all(request.n == 1 for request in greedy)
    assert len({request.prefix for request in greedy}) == len(greedy) == 6


def test_a_finished_chain_has_no_rollout_and_its_own_score():
    tree = Tree({"": ["1.", "a"], "a\n": ["2."]}, {"1.": 0.3, "a\n2.": 0.7})
    result = tree.run(arm("lookahead", 2, lookahead_steps=3))
    assert [(one.text, one.score) for one in result.samples] == [("1.", 0.3), ("a\n2.", 0.7)]
    assert [request.prefix for request in tree.generated if request.temperature == 0] == ["a\n"]


def test_a_rollout_costs_the_candidate_that_it_was_made_for():
    one, other = Tree({"": ["a"], "a\n": ["1."]}).run(arm("lookahead", 2, lookahead_steps=1)).samples
    # the step, its rollout, and the last step; equal chains are the first of them
    assert one.completion_tokens == other.completion_tokens == 3


def test_rollouts_that_were_not_granted_are_not_made_later():
    tree = Tree(LONG)

    def serve(request):
        dear = isinstance(request, Generate) and request.temperature == 0 and request.generations > 0
        return () if dear else tree.serve(request)

    result = drive(carry_out(arm("lookahead", 4, lookahead_steps=3), task()), serve)
    assert len(result.samples) == 4
    assert all(request.temperature == 0.8 for request in tree.generated)


def test_without_rollouts_it_is_beam_search():
    beam = Tree(AFTER, WORTH).run(arm("beam_search", 4, beam_width=2))
    assert texts(Tree(AFTER, WORTH).run(arm("lookahead", 4, beam_width=2, lookahead_steps=0))) == texts(beam)
