from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.texts.sketch import N_TERMS, VERSION, WORD_CLASSES, is_current, is_readable, read_sketches, sketch

texts = st.text(max_size=200)


@given(texts)
def test_any_text_has_a_readable_sketch(text):
    assert is_readable(sketch(text))


@given(st.lists(texts, min_size=1, max_size=5))
def test_several_sketches_are_read_as_each_by_itself(many):
    found = read_sketches([sketch(text) for text in many])
    for row, text in enumerate(many):
        alone = read_sketches([sketch(text)])
        assert found.term[found.row == row].tolist() == alone.term.tolist()
        assert found.count[found.row == row].tolist() == alone.count.tolist()
        assert found.characters[row].tolist() == alone.characters[0].tolist()
    assert (np.diff(found.row * N_TERMS + found.term) > 0).all()


def test_words_and_numbers_are_counted():
    found = read_sketches([sketch("Add 12 boxes, add 7 and 123456.")])
    words = found.term < WORD_CLASSES
    assert sorted(found.count[words]) == [1, 1, 2]
    assert (found.n_tokens[0], found.n_numbers[0], found.n_characters[0]) == (9, 3, 31)
    assert found.greatest_magnitude[0] == pytest.approx(5.1)
    assert found.mean_magnitude[0] == pytest.approx((1.114 + 0.903 + 5.0915) / 3, abs=0.05)


def test_the_order_of_words_is_not_kept():
    assert sketch("who owes whom: Ann owes Bob") == sketch("who owes whom: Bob owes Ann")


@pytest.mark.parametrize(("one", "other"), [("4111111111111111", "4222222222222222"), ("70612", "70588")])
def test_long_numbers_of_one_length_are_alike(one, other):
    assert sketch(f"pay with {one}") == sketch(f"pay with {other}")


def test_a_class_is_of_many_words():
    words = [f"{a}{b}{c}" for a in "bcdfgh" for b in "aeiouy" for c in range(1000)]
    classes = read_sketches([sketch(" ".join(words[i : i + 1000])) for i in range(0, len(words), 1000)]).term
    met = len(set(classes[classes < WORD_CLASSES].tolist()))
    assert 0.95 * WORD_CLASSES < met <= WORD_CLASSES < len(words) / 8


def test_no_word_stands_in_a_sketch():
    text = "The heron Wladyslawa photographed yesterday outnumbered seventeen cormorants"
    data = sketch(text).lower()
    assert not any(word.lower().encode() in data for word in text.split())


def test_a_sketch_is_the_same_in_every_process():
    script = "from planner.texts.sketch import sketch; print(sketch('How many boxes of 12?').hex())"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60,
        env={"PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert found.stdout.strip() == sketch("How many boxes of 12?").hex()


def test_a_sketch_of_this_version_stays_as_it_is():
    """Stored ones are read beside new ones: whoever changes this text raises VERSION."""
    assert VERSION == 1
    assert sketch("How many boxes of 12?").hex() == (
        "0115000000060001000b0b0d0001000200040000000000000000000100000000006a000e0b360de20f67108310010101010101"
    )


def test_ten_megabytes_have_the_sketch_of_their_beginning():
    found = read_sketches([sketch("add the 5 boxes " * 650_000)])
    assert (found.n_characters[0], found.n_tokens[0]) == (10_400_000, 5_000)
    assert found.count.max() == 255


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:5], lambda data: data + b"\0"])
def test_a_sketch_that_is_not_whole_is_not_readable(spoil):
    assert not is_readable(spoil(sketch("How many?")))


def test_a_sketch_of_another_version_is_not_readable():
    other = bytes([VERSION + 1]) + sketch("How many?")[1:]
    assert not is_readable(other)
    assert not is_current(other[:1])
