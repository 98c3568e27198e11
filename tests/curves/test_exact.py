from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.curves import best_of_n, majority_vote, pass_at_k
from planner.curves.exact import best_of_each, expected_greatest
from planner.curves.plurality import plurality
from planner.errors import InvalidInput


@pytest.mark.parametrize(("k", "value"), [(1, 0.3), (2, 0.533333), (5, 0.916667), (8, 1.0)])
def test_pass_at_k_has_the_known_values(k, value):
    assert pass_at_k(10, 3, k) == pytest.approx(value, abs=5e-7)


def test_best_of_n_has_the_known_value():
    assert best_of_n([0.9, 0.9, 0.5, 0.1], [1, 0, 1, 0], 2) == pytest.approx(0.583333, abs=5e-7)


@pytest.mark.parametrize(
    ("counts", "k", "value"),
    [([4, 3, 3], 3, 0.433333), ([4, 3, 3], 5, 0.476190), ([3, 5, 2], 5, 0.232143), ([6, 4], 5, 0.738095)],
)
def test_majority_vote_has_the_known_values(counts, k, value):
    assert majority_vote(counts, k) == pytest.approx(value, abs=5e-7)


@given(st.integers(1, 10), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(n, data):
    correct = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    subsets = list(combinations([1] * correct + [0] * (n - correct), k))
    assert pass_at_k(n, correct, k) == pytest.approx(np.mean([any(subset) for subset in subsets]))


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])),
        min_size=1,
        max_size=8,
    ),
    st.data(),
)
def test_best_of_n_is_the_mean_over_all_subsets(samples, data):
    k = data.draw(st.integers(1, len(samples)))
    means = []
    for subset in combinations(samples, k):
        top = max(score for score, _ in subset)
        means.append(np.mean([correct for score, correct in subset if score == top]))
    scores, correct = zip(*samples, strict=True)
    assert best_of_n(scores, correct, k) == pytest.approx(np.mean(means))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any), st.data())
@settings(deadline=None)
def test_majority_vote_is_the_mean_over_all_subsets(counts, data):
    k = data.draw(st.integers(1, sum(counts)))
    samples = [group for group, count in enumerate(counts) for _ in range(count)]
    wins = []
    for subset in combinations(samples, k):
        votes = np.bincount(subset, minlength=len(counts))
        wins.append((votes[0] == votes.max()) / (votes == votes.max()).sum())
    assert majority_vote(counts, k) == pytest.approx(np.mean(wins), abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=3),
    st.data(),
)
@settings(deadline=None)
def test_samples_without_an_answer_are_drawn_but_do_not_vote(groups, grades, data):
    counts, values = zip(*groups, strict=True)
    total = sum(counts) + len(grades)
    if total == 0:
        return
    k = data.draw(st.integers(1, total))
    samples = [(group, values[group]) for group, count in enumerate(counts) for _ in range(count)]
    samples += [(-1, grade) for grade in grades]
    outcomes = []
    for subset in combinations(samples, k):
        votes = np.bincount([group for group, _ in subset if group >= 0], minlength=len(counts))
        winners = [values[group] for group in np.flatnonzero(votes == votes.max())]
        outcomes.append(np.mean(winners if votes.any() else [grade for _, grade in subset]))
    silent, unanswered = np.array([len(grades)]), np.array([np.mean(grades or [0.0])])
    found = plurality(np.array([counts]), np.array([values]), silent, unanswered, k)
    assert found[0] == pytest.approx(np.mean(outcomes), abs=1e-12)


def test_many_prompts_at_once_give_what_each_gives_alone():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(20, [0.4, 0.3, 0.2, 0.05, 0.05], size=30)
    values = np.zeros((30, 5))
    values[:, 0] = 1
    together = plurality(counts, values, np.zeros(30, np.int64), np.zeros(30), 7)
    assert together == pytest.approx([majority_vote(row, 7) for row in counts.tolist()])


def test_a_vote_of_hundreds_stays_between_none_and_all():
    assert 0 < majority_vote([500, 450, 250], 300) < 1
    assert majority_vote([900, 100], 301) == pytest.approx(1)


def test_more_samples_never_lower_pass_at_k():
    values = [pass_at_k(50, 3, k) for k in range(1, 51)]
    assert values == sorted(values)


def test_rows_give_best_of_n_at_every_budget():
    rng = np.random.default_rng(0)
    scores, correct = rng.integers(0, 4, (5, 9)) / 4, rng.integers(0, 2, (5, 9)).astype(float)
    budgets = np.array([1, 2, 5, 9])
    plain = [[best_of_n(s, c, int(k)) for k in budgets] for s, c in zip(scores, correct, strict=True)]
    assert best_of_each(scores, correct, budgets) == pytest.approx(np.array(plain))


def test_the_greatest_correctness_is_pass_at_k():
    correct = np.array([[1.0, 0, 0, 1, 0, 0]])
    assert expected_greatest(correct, np.array([1, 3]))[0] == pytest.approx([pass_at_k(6, 2, 1), pass_at_k(6, 2, 3)])


@pytest.mark.parametrize(
    "call",
    [
        lambda: pass_at_k(10, 3, 11),
        lambda: pass_at_k(10, 3, 0),
        lambda: pass_at_k(10, 11, 1),
        lambda: best_of_n([0.5], [1, 0], 1),
        lambda: best_of_n([float("nan")], [1], 1),
        lambda: best_of_n([0.5], [1], 2),
        lambda: majority_vote([3, -1], 1),
        lambda: majority_vote([], 1),
        lambda: majority_vote([2, 1], 4),
        lambda: majority_vote([2.5, 1], 1),
        lambda: majority_vote([2, 1], 1.5),
        lambda: best_of_n([0.5, 0.1], [1, 0], 1.5),
        lambda: pass_at_k(10.5, 3, 2),
    ],
)
def test_what_cannot_be_answered_is_refused(call):
    with pytest.raises(InvalidInput):
        call()


def test_what_is_no_whole_number_is_named():
    with pytest.raises(InvalidInput, match=r"k must be a whole number, got 1\.5"):
        pass_at_k(10, 3, 1.5)


def test_without_samples_that_is_said():
    with pytest.raises(InvalidInput, match="no samples"):
        best_of_n([], [], 1)
