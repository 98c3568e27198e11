from __future__ import annotations

import numpy as np

from planner.policy.comparable import comparable, known_mean


def logged(*parts: tuple[slice, list[int]], n_prompts: int = 100, n_arms: int = 5) -> np.ndarray:
    outcome = np.full((n_prompts, n_arms), np.nan, dtype=np.float32)
    for rows, arms in parts:
        outcome[rows, arms] = 0.5
    return outcome


def places(outcome: np.ndarray, cost: np.ndarray | None = None) -> list[int]:
    return np.flatnonzero(comparable(outcome, np.zeros_like(outcome) if cost is None else cost)).tolist()


def test_of_generators_on_disjoint_prompts_the_part_with_most_to_compare_is_kept():
    assert places(logged((slice(0, 45), [0, 1, 2]), (slice(45, 100), [3, 4]))) == list(range(45))


def test_a_few_shared_prompts_do_not_join_two_groups_of_arms():
    outcome = logged((slice(0, 60), [0, 1, 2]), (slice(50, 100), [3, 4]))
    assert places(outcome) == list(range(60))


def test_arms_are_joined_by_one_that_was_logged_with_both():
    outcome = logged((slice(0, 60), [0, 1]), (slice(40, 100), [1, 2]))
    assert places(outcome) == list(range(100))


def test_an_arm_that_few_prompts_have_belongs_to_the_arms_beside_it():
    outcome = logged((slice(0, 100), [0, 1]), (slice(3, 4), [2]))
    assert places(outcome) == list(range(100))


def test_what_has_no_known_cost_is_not_compared():
    outcome = logged((slice(0, 30), [0, 1]), (slice(30, 100), [3, 4]))
    cost = np.where(np.arange(5) >= 3, np.nan, np.zeros((100, 1)))
    assert places(outcome, cost) == list(range(30))


def test_one_arm_a_prompt_leaves_nothing_to_choose_by_and_all_graded_prompts_are_told():
    outcome = logged(*((slice(arm, 90, 5), [arm]) for arm in range(5)))
    assert places(outcome) == list(range(90))


def test_the_mean_of_nothing_is_unknown():
    assert known_mean(np.float32([np.nan, 1, 3])) == 2
    assert np.isnan(known_mean(np.float32([np.nan])))
