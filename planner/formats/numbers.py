"""Numbers as people and models write them, read exactly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

# Longer digit strings and greater exponents are no answers, and exact arithmetic on them would take for ever.
_MAX_DIGITS = 400
_MAX_EXPONENT = 300
_MAX_CHARACTERS = 2000

_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
NUMBER = re.compile(rf"(?<![\w.])[-+\u2212]?{_PLAIN}(?:\s?/\s?\d+(?![\d.]))?(?:\s?%)?")

_DELIMITERS = re.compile(r"\\[()\[\]]|\$")
_DECORATION = re.compile(
    r"\\[,!; ()\[\]$]|[$\u20ac\u00a3\u00a5\uffe5*_`]|\\left|\\right"
    r"|(?:\u00b0|\^\s*(?:\\circ|\{\s*\\circ\s*\}))(?!\s*\d)"
)
_CANONICAL_INTEGER = re.compile(r"-?[1-9][0-9]{0,99}|0")
_DIGIT = re.compile(r"\d")
_IN_WORDS = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_IN_PARENTHESES = re.compile(r"\(([^(),]*)\)")
_LATEX_FRACTION = re.compile(
    r"([-+]?)(\d+)?\\[cdt]?frac\s*(?:\{\s*([-+]?\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))\s?(%?)"
)
_SIMPLE = re.compile(rf"([-+]?)({_PLAIN})(?:\s?/\s?({_PLAIN}))?\s?(%?)")
_WHOLE = re.compile(r"[\d,]+(?:\.0+)?")
_MIXED = re.compile(r"([-+]?)(\d+)\s+(\d+)\s?/\s?(\d+)\s?(%?)")
_POWER = re.compile(r"([-+]?" + _PLAIN + r")\s*(?:\\times|\\cdot|x|\*|\u00d7)\s*10\s*\^\s*(?:\{\s*)?([-+]?\d+)\s*\}?")


@dataclass(frozen=True)
class Number:
    """An exact value; a percentage is its share (`50%` is 1/2 with `percent` set). whole: written as an integer."""

    value: Fraction
    percent: bool = False
    whole: bool = False


def parse_number(raw: str) -> Number | None:
    """The number that the whole text is, or None.

    >>> parse_number("1,250.5").value == Fraction(2501, 2), parse_number("3 of 4")
    (True, None)
    """
    raw = raw.strip()
    if len(raw) > _MAX_CHARACTERS or not _DIGIT.search(raw):
        return None
    raw = _IN_WORDS.sub(_number_or_blank, raw.replace("\u2212", "-").replace("{,}", ",")).strip()
    power = _POWER.fullmatch(_DELIMITERS.sub("", raw).strip())
    if power:
        base = _plain(power[1].lstrip("+-"))
        scale = _power_of_ten(power[2])
        return None if base is None or scale is None else Number(_signed(power[1], base * scale))
    raw = _DECORATION.sub("", raw).replace("\\%", "%").strip().removesuffix(".").rstrip()
    inner = _IN_PARENTHESES.fullmatch(raw)
    return _undecorated(inner[1].strip() if inner else raw)


def _undecorated(raw: str) -> Number | None:
    latex = _LATEX_FRACTION.fullmatch(raw)
    if latex:
        sign, whole, *parts, percent = latex.groups()
        top, bottom = filter(None, parts)
        return _fraction(sign, whole, top, bottom, percent)
    mixed = _MIXED.fullmatch(raw)
    if mixed:
        return _fraction(*mixed.groups())
    simple = _SIMPLE.fullmatch(raw)
    if simple is None:
        return None
    value, divisor = _plain(simple[2]), Fraction(1) if simple[3] is None else _plain(simple[3])
    if value is None or not divisor:
        return None
    share = 100 if simple[4] else 1
    whole = simple[3] is None and _WHOLE.fullmatch(simple[2]) is not None
    return Number(_signed(simple[1], value / divisor / share), bool(simple[4]), whole)


def canonical_number(raw: str) -> str:
    """One text for all ways to write a number: `1,250.50` -> `1250.5`, `2/4` -> `1/2`, `50 %` -> `50%`.

    A text that is no number, or one too long to be read again in that form, comes back stripped.
    """
    if _CANONICAL_INTEGER.fullmatch(raw):  # most answers are: to read them takes ten times as long
        return raw
    number = parse_number(raw)
    if number is None:
        return raw.strip()
    shortest = _shortest(number.value * 100) + "%" if number.percent else _shortest(number.value)
    return shortest if len(shortest) <= _MAX_DIGITS else raw.strip()


def _number_or_blank(words: re.Match[str]) -> str:
    """What stands in words beside a number is its unit, unless it is the number itself."""
    return f" {words[1]} " if parse_number(words[1]) else " "


def _shortest(value: Fraction) -> str:
    twos = fives = 0
    rest = value.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    decimals = max(twos, fives)
    if rest != 1 or decimals > 30:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).rjust(decimals + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (digits if decimals == 0 else f"{digits[:-decimals]}.{digits[-decimals:]}")


def _plain(digits: str) -> Fraction | None:
    if len(digits) > _MAX_DIGITS:
        return None
    mantissa, _, exponent = digits.replace(",", "").lower().partition("e")
    scale = _power_of_ten(exponent or "0")
    return None if scale is None else Fraction(mantissa if mantissa[0] != "." else f"0{mantissa}") * scale


def _power_of_ten(exponent: str) -> Fraction | None:
    if len(exponent) > 5 or abs(int(exponent)) > _MAX_EXPONENT:
        return None
    return Fraction(10) ** int(exponent)


def _fraction(sign: str, whole: str | None, top: str, bottom: str, percent: str) -> Number | None:
    if max(len(whole or ""), len(top), len(bottom)) > _MAX_DIGITS or int(bottom) == 0:
        return None
    value = int(whole or 0) + Fraction(int(top), int(bottom))
    return Number(_signed(sign, value / (100 if percent else 1)), bool(percent))


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign.startswith("-") else value
