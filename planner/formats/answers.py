"""From raw text to a comparable answer, and from an answer and a reference to a grade: small pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from planner.errors import InvalidInput
from planner.formats.final import auto, boxed, json_field, raw_text, text
from planner.formats.numbers import NUMBER, canonical_number, parse_number

Extractor = Callable[[str], "str | None"]
Grader = Callable[["str | None", str], float]

EXTRACTORS = (
    "auto", "answer_line", "last_number", "boxed", "choice", "regex:PATTERN", "json:FIELD", "text", "raw",
)  # fmt: skip
GRADERS = ("exact", "numeric", "choice", "regex")

# Numbers that differ by less than this share are the same answer written to other decimals; integers have none.
_RELATIVE_TOLERANCE = Fraction(1, 10**6)

# Texts are whatever a model writes: no pattern may try one run of characters in several ways, so that where two
# repeats meet the first gives nothing back (`*+`), and what leads a line does not run across lines.
_MARKS = r"[\s*_`]*+"
_LEADS_LINE = r"^(?:[^\S\n]|[{marks}])*+"
_ANSWER_LINE = re.compile(
    rf"^(?:####\s*+)?{_LEADS_LINE.format(marks='>#*_`-')}(?:the\s+)?(?:final\s+)?answer{_MARKS}(?::|=|\bis\b:?)"
    r"[\s*_`]*(?P<answer>\S.*)$|^####\s*(?P<marked>\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_TRAILING_MARKUP = re.compile(r"(?<![\s*_`])[\s*_`]+$")
_IS = r"(?::|=|(?i:\bis\b):?)"
_LETTER = (
    # `I think` is nobody's choice
    r"(?:[(\[]([A-Za-z])[)\]]|[(\[{*]*(?!I\s+(?!(?:is|as|and|or|for|since|because)\b)[a-z])([A-Z])(?![\w'\u2019]))"
)
_OPTION = r"(?i:choice|option)"
_CHOICE_SAID = re.compile(
    rf"(?:(?i:answer){_MARKS}(?:{_IS}{_MARKS}(?:{_OPTION}\s+)?)?|{_OPTION}{_MARKS}{_IS}{_MARKS}(?:{_OPTION}\s+)?){_LETTER}"
    # a small letter may be an article or a unit: it has to end its line, and `is a` the sentence
    rf"|(?i:answer|choice|option){_MARKS}(?::|(?i:\bis\b)(?!\s+a[ \t]*\n[ \t]*\w):?){_MARKS}"
    r"([a-j])(?=[*_`]*\.?[ \t\r]*$)",
    re.MULTILINE,
)
_CHOICE_NAMED = re.compile(_OPTION + _MARKS + _LETTER)
_CHOICE_BRACKETED = re.compile(r"[(\[]([A-Z])[)\]]")
_CHOICE_ALONE = re.compile(r"^[\s*_`(\[]*([A-Za-z])[\s*_`)\].:]*$")
_CHOICE_LEADS_LINE = re.compile(_LEADS_LINE.format(marks="*_`") + r"([A-Z])[).:](?:\s|$)", re.MULTILINE)


def extractor(name: str) -> Extractor:
    """The extractor of that name: one of `EXTRACTORS`.

    Raises InvalidInput for an unknown name or a pattern that is no regular expression.
    """
    if name.startswith("regex:"):
        return _regex_extractor(name.removeprefix("regex:"))
    if name.startswith("json:"):
        return partial(json_field, field=name.removeprefix("json:"))
    known: dict[str, Extractor] = {
        "auto": auto,
        "answer_line": answer_line,
        "last_number": last_number,
        "boxed": boxed,
        "choice": choice,
        "text": text,
        "raw": raw_text,
    }
    if name not in known:
        raise InvalidInput(f"unknown extractor {name!r}: use one of {', '.join(EXTRACTORS)}")
    return known[name]


def grader(name: str) -> Grader:
    """The grader of that name: one of `GRADERS`. Raises InvalidInput for any other."""
    known: dict[str, Grader] = {
        "exact": grade_exact,
        "numeric": grade_numeric,
        "choice": grade_choice,
        "regex": grade_regex,
    }
    if name not in known:
        raise InvalidInput(f"unknown grader {name!r}: use one of {', '.join(GRADERS)}")
    return known[name]


def answer_line(raw: str) -> str | None:
    r"""What follows the last `Answer:`, `The final answer is` or `####` at the head of a line, without a box around it.

    >>> answer_line("3 + 4 = 7\n**Final answer:** 7"), answer_line(r"The final answer is $\boxed{7}$.")
    ('7', '7')
    """
    found = None
    for match in _ANSWER_LINE.finditer(raw):
        found = match["answer"] or match["marked"]
    if found is None:
        return None
    found = _TRAILING_MARKUP.sub("", found)
    return boxed(found) or text(found.removesuffix("."))


def last_number(raw: str) -> str | None:
    """The last number of the text in its canonical form (`canonical_number`), so that equal numbers are equal strings.

    >>> last_number("first 12, then 1,250.50 dollars.")
    '1250.5'
    """
    matches = NUMBER.findall(raw.replace("{,}", ","))
    return canonical_number(matches[-1]) if matches else None


def choice(raw: str) -> str | None:
    """The letter chosen: the last of `answer is C`, else of `option C`, `(C)`, or lines that begin `C.`; or a lone `C`.

    >>> choice("The answer is (C). Option B is wrong.")
    'C'
    >>> choice("c")
    'C'
    """
    alone = _CHOICE_ALONE.match(raw)
    if alone:
        return alone[1].upper()
    in_box = boxed(raw)
    if in_box is not None:
        inner = re.sub(r"\\(?:text|mathrm|textbf)\{(.*)\}", r"\1", in_box)
        alone = _CHOICE_ALONE.match(inner)
        if alone:
            return alone[1].upper()
    for pattern in (_CHOICE_SAID, _CHOICE_NAMED, _CHOICE_BRACKETED, _CHOICE_LEADS_LINE):
        found: list[str] = [next(filter(None, match.groups())) for match in pattern.finditer(raw)]
        if found:
            return found[-1].upper()
    lines = raw.strip().splitlines()
    alone = _CHOICE_ALONE.match(lines[-1]) if lines else None
    return alone[1].upper() if alone else None


def grade_exact(answer: str | None, reference: str) -> float:
    """1 if the texts are equal but for white space, else 0; no answer is 0.

    An extractor may have read a number in the reference's form: its canonical form is right too.

    >>> grade_exact("0.75", "3/4"), grade_exact("3/4", "0.75")
    (1.0, 0.0)
    """
    return float(answer is not None and text(answer) in {text(reference), canonical_number(reference)})


def grade_numeric(answer: str | None, reference: str) -> float:
    """1 if both are the same number; where the reference is no number, `grade_exact`.

    Numbers that are both written as integers have to be equal, all others to one part in a million.
    Thousands separators, fractions, LaTeX fractions, scientific notation, currency signs and degrees are read. A
    percentage equals its share (50% = 0.5), and equals 50 where the other side has no percent sign.

    >>> grade_numeric("1,250.0", "1250"), grade_numeric("50%", "1/2"), grade_numeric("7", "8")
    (1.0, 1.0, 0.0)
    """
    if answer is None:
        return 0.0
    given, wanted = parse_number(answer), parse_number(reference)
    if wanted is None:
        return grade_exact(answer, reference)
    if given is None:
        return 0.0
    pairs = [(given.value, wanted.value)]
    if given.percent != wanted.percent:
        pairs.append((given.value * (100 if given.percent else 1), wanted.value * (100 if wanted.percent else 1)))
    tolerance = 0 if given.whole and wanted.whole else _RELATIVE_TOLERANCE
    return float(any(abs(a - b) <= tolerance * abs(b) for a, b in pairs))


def grade_choice(answer: str | None, reference: str) -> float:
    """1 if both name the same letter, however they write it; where the reference names none, `grade_exact`."""
    if answer is None:
        return 0.0
    wanted = choice(reference)
    return grade_exact(answer, reference) if wanted is None else float(choice(answer) == wanted)


def grade_regex(answer: str | None, reference: str) -> float:
    """1 if the reference, a regular expression, matches the whole answer. Raises InvalidInput where it is none.

    >>> grade_regex("42 km", r"42( ?km)?")
    1.0
    """
    try:
        return float(answer is not None and re.fullmatch(reference, answer) is not None)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(f"reference {reference!r} is no regular expression: {error}") from error


def _regex_extractor(pattern: str) -> Extractor:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"regex:{pattern} is no regular expression: {error}") from error

    def extract(raw: str) -> str | None:
        last = None
        for match in compiled.finditer(raw):
            last = match
        if last is None:
            return None
        found: str | None = last[1] if compiled.groups else last[0]
        return None if found is None else text(found)

    return extract
