from __future__ import annotations

import numpy as np
import pytest

from planner.difficulty.belief import SOURCES

FOREIGN = (
    "Il était une fois, dans un petit village au bord de la mer, une jeune fille qui aimait regarder les bateaux.",
    "asdkj qwoeiu zmxnc pqowie alskdj",
    "\x00\x01\x02 ~~~",
    "%%% $$$ @@@",
    "",
)


@pytest.mark.parametrize("text", FOREIGN)
def test_text_without_known_words_falls_back_to_the_prior(fitted, text):
    belief = fitted.believe((text,))
    assert not belief.in_distribution[0]
    assert SOURCES[belief.source[0]] == "prior"
    assert np.allclose(belief.bins[0], fitted.prior_, atol=1e-6)


def test_unseen_prompts_of_the_same_kind_are_in_distribution(fitted, unseen):
    assert fitted.believe(unseen.table.prompts.texts).in_distribution.all()


@pytest.mark.parametrize("number", ["7", "123456789012345678901234567890"])
def test_an_unseen_number_beside_known_words_is_in_distribution(fitted, number):
    assert fitted.believe((f"apple river stone cloud tiger lamp simple number {number}",)).in_distribution[0]


@pytest.mark.parametrize(("n_strange", "is_near"), [(1, True), (2, False)])
def test_among_six_words_one_may_be_strange(fitted, n_strange, is_near):
    words = ["apple", "river", "stone", "cloud", "tiger", "lamp"]
    words[:n_strange] = ["capital", "France"][:n_strange]
    assert fitted.believe((" ".join(words),)).in_distribution[0] == is_near


def test_known_words_repeated_a_million_times_are_out_of_distribution(fitted):
    assert not fitted.believe(("apple " * 1_000_000,)).in_distribution[0]


def test_one_strange_prompt_does_not_change_its_neighbours(fitted):
    text = "apple river stone cloud tiger lamp simple number 3"
    alone, among = fitted.believe((text,)), fitted.believe((FOREIGN[0], text, ""))
    assert np.allclose(alone.bins[0], among.bins[1], atol=1e-6)
