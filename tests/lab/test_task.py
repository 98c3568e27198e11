"""Problems, tokenizer and random numbers of the laboratory."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.lab.problems import STEP_WEIGHTS, logged_prompts, make_problem, problems
from planner.lab.randomness import sample_keys, uniforms
from planner.lab.tokenizer import EOS, UNKNOWN, tokenizer

LINE = re.compile(r"(?:(even|odd) )?(\d+) (\+|-|\*|/|mod) (\d+) = (\d+)")
OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
}


@given(seed=st.integers(0, 10**6), n_steps=st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_a_solution_is_right_and_leads_to_the_reference(seed: int, n_steps: int):
    problem = make_problem(random.Random(seed), n_steps)
    *steps, answer = problem.solution.split("\n")
    before = None
    for step in steps:
        parity, a, sign, b, value = LINE.fullmatch(step).groups()
        assert before in (None, a)
        assert OPERATIONS[sign](int(a), int(b)) == int(value)
        assert parity in (None, ("even", "odd")[int(a) % 2])
        before = value
    assert len(steps) == problem.n_steps
    assert answer == f"Answer: {problem.reference}"
    assert before == problem.reference


def test_the_tokenizer_knows_every_word_of_the_problems():
    words = tokenizer()
    for problem in problems(500, seed=1):
        for text in (problem.prompt + "\n", problem.solution):
            tokens = words.encode(text)
            assert UNKNOWN not in tokens
            assert words.decode(tokens) == text


def test_fresh_problems_are_different_and_none_is_logged():
    prompts = [problem.prompt for problem in problems(2000, seed=0)]
    assert len(set(prompts)) == 2000
    assert not logged_prompts() & set(prompts)
    assert len(logged_prompts()) == 400


def test_a_seed_always_gives_the_same_problems():
    assert problems(20, seed=3) == problems(20, seed=3)[:20] == problems(30, seed=3)[:20]
    assert problems(20, seed=3) != problems(20, seed=4)


def test_problems_are_as_long_as_those_of_the_logs():
    counts = np.bincount([problem.n_steps for problem in problems(8000, seed=2)], minlength=10)[1:]
    expected = 8000 * np.array(STEP_WEIGHTS) / sum(STEP_WEIGHTS)
    # One-step problems that are logged or drawn twice are left out: there are not so many of them.
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected.max()) + 0.02 * 8000


def test_problems_have_the_words_of_the_logs_as_often_as_they():
    logged, fresh = (
        " ".join(texts) for texts in (logged_prompts(), (problem.prompt for problem in problems(4000, seed=6)))
    )
    for word in ("Add", "Subtract", "Double", "Triple", "Multiply", "remainder", "bags", "Halve", "even", "hat", "day"):
        in_logs, in_fresh = logged.count(word), fresh.count(word) / 10
        assert abs(in_logs - in_fresh) < 4.5 * np.sqrt(in_fresh + 1)


def test_a_negative_number_of_problems_is_refused():
    with pytest.raises(InvalidInput, match="0 or more"):
        problems(-1, seed=0)


def test_unknown_words_and_the_names_of_special_tokens_are_read_as_unknown():
    tokens = tokenizer().encode("Käse <eos> 7")
    assert EOS not in tokens
    assert UNKNOWN in tokens
    assert tokens[-1] == tokenizer().encode(" 7")[0]


def test_random_numbers_are_spread_evenly():
    keys = sample_keys(12, 20_000)
    for place in (0, 1, 50):
        numbers = uniforms(keys, np.full(len(keys), place))
        assert ((numbers >= 0) & (numbers < 1)).all()
        shares = np.histogram(numbers, bins=20, range=(0, 1))[0] / len(numbers)
        assert np.abs(shares - 0.05).max() < 5 * np.sqrt(0.05 * 0.95 / len(numbers))


def test_random_numbers_of_neighbouring_seeds_samples_and_places_are_unrelated():
    places = np.arange(2000)
    one = uniforms(np.repeat(sample_keys(5, 1), 2000), places)
    others = (
        uniforms(np.repeat(sample_keys(6, 1), 2000), places),
        uniforms(np.repeat(sample_keys(5, 2)[1:], 2000), places),
        uniforms(np.repeat(sample_keys(5, 1), 2000), places + 1),
    )
    for other in others:
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(2000)


def test_keys_of_a_later_part_are_those_of_the_whole():
    assert (sample_keys(7, 10)[4:] == sample_keys(7, 6, first=4)).all()
