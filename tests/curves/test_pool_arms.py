from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Row, expected_outcome, logs_of, random_rows

from planner.curves import pool_curves, tabulate
from planner.curves.logs import Pool


def outcomes(logs, **fields):
    """Outcome by prompt of the one arm that has these fields."""
    table = tabulate(logs, cascades=False)
    found = [
        i for i, arm in enumerate(table.arms) if all(getattr(arm, name) == value for name, value in fields.items())
    ]
    assert len(found) == 1, [table.arms[i].label for i in found]
    return table.outcome[:, found[0]]


@given(st.integers(0, 10**6), st.integers(2, 7), st.sampled_from([1, 2, 4]), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_every_selection_is_the_mean_over_all_subsets_of_chains(seed, n_chains, depth, n_answers):
    rows = random_rows(np.random.default_rng(seed), n_chains=n_chains, depth=depth, n_answers=n_answers)
    checked = 0
    for part in pool_curves(logs_of(rows), 0):
        for rule, values in part.values.items():
            for breadth, value in zip(part.breadths, values[0], strict=True):
                if np.isnan(value):  # no answer at all: nothing to vote on
                    continue
                if rule.selection in {"first", "last"} and breadth > 1:
                    continue
                plain = expected_outcome(rows, rule.selection, int(breadth), part.depth, least=rule.least)
                assert value == pytest.approx(plain, abs=1e-5), (rule, breadth, part.depth)
                checked += 1
    assert checked


@pytest.mark.parametrize("selection", ["majority_vote", "filter_vote", "weighted_vote"])
def test_subsets_too_many_to_list_are_met_by_drawing_some(selection):
    rng = np.random.default_rng(3)
    rows = [row for p in range(40) for row in random_rows(rng, n_chains=13, depth=1, n_answers=3, prompt=p)]
    found = outcomes(logs_of(rows, n_prompts=40), selection=selection, breadth=4, params={})
    plain = [expected_outcome([r for r in rows if r.prompt == p], selection, 4, 1) for p in range(40)]
    assert np.abs(found - plain).max() < 0.12
    assert abs(np.mean(found - plain)) < 0.01


def test_one_sample_is_the_arm_first_without_a_verifier():
    table = tabulate(logs_of([Row(answer=0, correct=1, score=0.5)]), cascades=False)
    assert [(arm.selection, arm.verifier, arm.breadth, arm.depth) for arm in table.arms] == [("first", None, 1, 1)]


def test_arms_that_read_no_score_have_no_verifier():
    rng = np.random.default_rng(0)
    table = tabulate(logs_of(random_rows(rng, n_chains=4, depth=2, n_answers=3)), cascades=False)
    without = {arm.selection for arm in table.arms if arm.verifier is None}
    assert without == {"first", "last", "majority_vote"}
    assert {arm.selection for arm in table.arms} - without == {"filter_vote", "weighted_vote", "best_of_n"}


def test_settings_of_a_pool_are_part_of_its_arms():
    rows = [Row(pool=pool, answer=0, correct=1.0) for pool in (0, 1)]
    pools = (Pool("small", params={"temperature": 0.0}), Pool("small", params={"temperature": 0.8}))
    arms = tabulate(logs_of(rows, pools), cascades=False).arms
    assert [arm.params["temperature"] for arm in arms] == [0.0, 0.8]


def test_the_least_step_score_is_an_arm_only_where_it_is_logged():
    rng = np.random.default_rng(0)
    rows = random_rows(rng, n_chains=4, depth=1, n_answers=3)
    by_least = {"step_score": "min"}
    assert any(arm.params == by_least for arm in tabulate(logs_of(rows), cascades=False).arms)
    plain = [Row(chain=r.chain, answer=r.answer, correct=r.correct, score=r.score) for r in rows]
    assert not any(arm.params == by_least for arm in tabulate(logs_of(plain), cascades=False).arms)


def test_a_prompt_with_fewer_samples_than_the_budget_is_unknown_there():
    rows = [Row(prompt=p, chain=c, answer=0, correct=1.0) for p, n in enumerate((2, 4, 4)) for c in range(n)]
    found = outcomes(logs_of(rows, n_prompts=3), selection="majority_vote", breadth=4)
    assert np.isnan(found[0])
    assert found[1:].tolist() == [1.0, 1.0]


def test_an_attempt_without_answer_wins_no_chain_that_has_one():
    scored = [(-1, 0.0, 0.9), (0, 1.0, 0.0)]
    rows = [Row(chain=0, attempt=i, answer=a, correct=c, score=s) for i, (a, c, s) in enumerate(scored)]
    assert outcomes(logs_of(rows), selection="weighted_vote", depth=2)[0] == 1.0


def test_shorter_chains_do_not_count_at_greater_depth():
    rows = [Row(chain=0, attempt=0, answer=0, correct=1.0)]
    rows += [Row(chain=1, attempt=a, answer=1, correct=0.0) for a in range(2)]
    logs = logs_of(rows)
    assert outcomes(logs, selection="last", depth=2)[0] == 0.0
    assert outcomes(logs, selection="first")[0] == 0.5


def test_samples_without_a_grade_are_left_out():
    graded = [Row(chain=0, answer=0, correct=1.0), Row(chain=1, answer=1, correct=0.0)]
    logs = logs_of([*graded, Row(chain=2, answer=2)])
    assert outcomes(logs, selection="first")[0] == 0.5
    assert tabulate(logs, cascades=False).weight[0, 0] == 2


def test_a_sample_has_the_grade_of_an_equal_answer():
    rows = [Row(chain=0, answer=0, correct=1.0), Row(chain=1, answer=0), Row(chain=2, answer=1, correct=0.0)]
    assert outcomes(logs_of(rows), selection="first")[0] == pytest.approx(2 / 3)


def test_an_ungraded_sample_without_an_answer_is_not_correct():
    rows = [Row(chain=0, answer=0, correct=1.0), Row(chain=1, answer=-1)]
    assert outcomes(logs_of(rows), selection="first")[0] == 0.5


def test_where_nothing_is_graded_nothing_is_known():
    rows = [Row(prompt=0, answer=0, correct=1.0), Row(prompt=1, answer=0)]
    table = tabulate(logs_of(rows, n_prompts=2), cascades=False)
    assert np.isnan(table.outcome[1, 0])
    assert table.weight[1, 0] == 0


def test_samples_without_a_score_are_left_out_of_rules_that_read_it():
    rows = [Row(chain=c, answer=c % 2, correct=float(c % 2 == 0), score=0.9 - 0.1 * c) for c in range(4)]
    unscored = Row(chain=4, answer=1, correct=0.0)
    with_it, without = logs_of([*rows, unscored]), logs_of(rows)
    for selection in ("best_of_n", "weighted_vote", "filter_vote"):
        arm = {"selection": selection, "breadth": 2, "params": {}}
        assert outcomes(with_it, **arm) == pytest.approx(outcomes(without, **arm))
    assert outcomes(with_it, selection="first")[0] == pytest.approx(0.4)


def test_a_truncated_sample_without_score_is_never_preferred_but_counts():
    rows = [Row(chain=0, answer=0, correct=1.0, score=0.1), Row(chain=1, answer=-1, correct=0.0)]
    logs = logs_of(rows)
    assert outcomes(logs, selection="best_of_n", breadth=2)[0] == 1.0
    assert outcomes(logs, selection="first")[0] == 0.5


def test_a_prompt_without_any_answer_in_the_log_has_no_vote():
    answered = [Row(prompt=0, chain=c, answer=0, correct=1.0) for c in range(2)]
    unknown = [Row(prompt=1, chain=c, correct=float(c)) for c in range(2)]
    nothing = [Row(prompt=2, chain=c, correct=0.0) for c in range(2)]
    found = outcomes(logs_of([*answered, *unknown, *nothing], n_prompts=3), selection="majority_vote", breadth=2)
    assert found[0] == 1.0
    assert np.isnan(found[1])
    assert found[2] == 0.0


def test_where_no_drawn_sample_has_an_answer_a_vote_is_worth_what_was_drawn():
    rows = [Row(chain=c, answer=a, correct=g) for c, (a, g) in enumerate([(0, 0.0), (-1, 1.0), (-1, 0.5), (-1, 1.0)])]
    # The answer wins wherever it is drawn, in half of the pairs; the others are three of silent samples.
    assert outcomes(logs_of(rows), selection="majority_vote", breadth=2)[0] == pytest.approx(0.5 * 2.5 / 3)


def test_the_same_seed_gives_the_same_table():
    rng = np.random.default_rng(3)
    rows = [row for p in range(5) for row in random_rows(rng, n_chains=13, depth=1, n_answers=3, prompt=p)]
    one, two = (tabulate(logs_of(rows, n_prompts=5), seed=4, cascades=False).outcome for _ in range(2))
    assert np.array_equal(one, two, equal_nan=True)


def test_shares_of_credit_are_averaged_like_grades():
    rows = [Row(chain=c, answer=c, correct=v, score=s) for c, (v, s) in enumerate([(0.5, 0.9), (1.0, 0.2)])]
    logs = logs_of(rows)
    assert outcomes(logs, selection="best_of_n", breadth=2)[0] == 0.5
    assert outcomes(logs, selection="majority_vote", breadth=2)[0] == 0.75


def test_logs_without_samples_or_runs_give_an_empty_table():
    table = tabulate(logs_of([], (), n_prompts=2), cascades=False)
    assert table.arms == ()
    assert table.outcome.shape == (2, 0)
