from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.formats.numbers import canonical_number, parse_number


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("7", 7), ("-7", -7), ("\u22127", -7), ("+7", 7), ("1,234,567", 1234567), ("1,234.50", Fraction(2469, 2)),
        ("1e3", 1000), ("2.5E-1", Fraction(1, 4)), ("3/4", Fraction(3, 4)), ("1 1/2", Fraction(3, 2)),
        ("50%", Fraction(1, 2)), ("$1,250.00", 1250), (r"\frac{3}{4}", Fraction(3, 4)),
        (r"-\dfrac{1}{2}", Fraction(-1, 2)),
        (r"\$18", 18), ("18.", 18), ("3 \\times 10^{4}", 30000), ("**42**", 42), (r"12\text{ cm}", 12),
        (".5", Fraction(1, 2)), (r"\(12\)", 12), (r"\[ 12 \]", 12), (r"\(3 \times 10^4\)", 30000), ("1{,}000", 1000),
        (r"\frac12", Fraction(1, 2)), (r"-\frac{3}4", Fraction(-3, 4)), (r"1\frac 1{20}", Fraction(21, 20)),
        (r"\text{42}", 42), (r"$\textbf{1,000}$.", 1000), (r"\text{50}\%", Fraction(1, 2)), (r"\left(-5\right)", -5),
        (r"\left(\frac{1}{2}\right)", Fraction(1, 2)), (r"12\frac{1}{2}\%", Fraction(1, 8)),
        (r"\cfrac{3}{4}", Fraction(3, 4)),
        (r"12^\circ", 12), (r"$12^{\circ}$", 12), ("12\u00b0", 12), ("\u00a512", 12),
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(raw, value):
    number = parse_number(raw)
    assert number is not None
    assert number.value == value


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "four",
        "3 of 4",
        "1,23",
        "1/0",
        "--1",
        "1e999999999",
        "9" * 5000,
        "nan",
        "inf",
        "12 apples",
        r"5\text{ and }10",
        r"\text{42 apples}",
        "(1,234)",
        "1\\text{" + "m" * 5000 + "}",
        "1x10^" + " " * 200_000 + "x",
        "10^10^10",
        "12\u00b030",
        r"\frac123",
        r"\frac1",
        r"\frac10",
        "1{,}23",
        r"12^\circ30",
    ],
)
def test_what_is_no_number_gives_none(raw):
    assert parse_number(raw) is None


@given(st.fractions())
def test_the_canonical_form_of_a_fraction_is_read_back_exactly(value):
    number = parse_number(canonical_number(f"{value.numerator}/{value.denominator}"))
    assert number is not None
    assert number.value == value


@given(st.text())
def test_no_text_breaks_the_reader(raw):
    parse_number(raw)
    canonical_number(raw)


@pytest.mark.parametrize(
    ("one", "other"), [("1,250.50", "1250.5"), ("2/4", "0.5"), ("1e2", "100"), ("007", "7"), ("50 %", "50%")]
)
def test_equal_numbers_have_one_canonical_form(one, other):
    assert canonical_number(one) == canonical_number(other)
