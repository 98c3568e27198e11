from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.formats.answers import extractor, grader
from planner.formats.numbers import parse_number


@pytest.mark.parametrize(
    ("name", "raw", "answer"),
    [
        ("answer_line", "3 + 4 = 7\nAnswer: 7", "7"),
        ("answer_line", "Answer: 6\nno, wait\nAnswer: 7", "7"),
        ("answer_line", "**Final Answer:** 7.", "7"),
        ("answer_line", "so\nThe answer is 12 apples.", "12 apples"),
        ("answer_line", "5 * 5 = 25\n#### 25", "25"),
        ("answer_line", "I do not know", None),
        ("answer_line", "Answer:", None),
        ("answer_line", "####\n\n25", "25"),
        ("answer_line", "####\n\n- Answer: 25", "25"),
        ("answer_line", "> - the\nfinal answer **is** 25 **", "25"),
        ("last_number", "first 12, then 1,250.50 dollars.", "1250.5"),
        ("last_number", "x = -3", "-3"),
        ("last_number", "about 3/4 of it", "0.75"),
        ("last_number", "none", None),
        ("last_number", "in all 1{,}000 of them", "1000"),
        ("boxed", r"so \boxed{7}", "7"),
        ("boxed", r"\boxed{\frac{1}{2}} and \boxed{\sqrt{\frac{a}{b}}}", r"\sqrt{\frac{a}{b}}"),
        ("boxed", r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        ("boxed", r"first \boxed{3}, then \boxed{cut off", "3"),
        ("boxed", "no box", None),
        ("choice", "(C)", "C"),
        ("choice", "C.", "C"),
        ("choice", "The answer is C", "C"),
        ("choice", "the answer is (c)", "C"),
        ("choice", "Answer: **B**", "B"),
        ("choice", "A is wrong, so it must be (D).", "D"),
        ("choice", "(A) is tempting, but the answer is (B), not (C).", "B"),
        ("choice", r"Therefore $\boxed{\text{E}}$", "E"),
        ("choice", "A cat sat on the mat.", None),
        ("choice", "b", "B"),
        ("choice", "answer: c", "C"),
        ("choice", "Answer: **d**.\nIt is the longest.", "D"),
        ("choice", "So the answer is c.", "C"),
        ("choice", "so the answer is a", "A"),
        ("choice", "The answer is I think C", None),
        ("choice", "Answer: I believe it to be (C).", "C"),
        ("choice", "The answer is I because it is even", "I"),
        ("choice", "The answer is I.", "I"),
        ("choice", "The answer is a dog", None),
        ("choice", "The answer is a\ndog", None),
        ("choice", "answer: a cat", None),
        ("choice", "the answer is e.g. a dog", None),
        ("choice", "Answer: x", None),
        ("choice", "The answer is B. Option A is wrong because it is odd.", "B"),
        ("choice", "The correct answer is (B). Option C is incorrect.", "B"),
        ("choice", "**Answer: B**\n\nOption A is wrong, choice D too.", "B"),
        ("choice", "Answer B\nOption A is wrong.", "B"),
        ("choice", "The answer is choice C, since answer choice A is even.", "C"),
        ("choice", "The answer is B? No: the correct option is C.", "C"),
        ("choice", "I take option B, (A) is odd.", "B"),
        ("choice", "Answer choice B", "B"),
        ("regex:x=(\\d+)", "x=1, x=22", "22"),
        ("regex:\\d+", "1 and 22", "22"),
        ("regex:\\d+", "none", None),
        ("text", "  two \n words ", "two words"),
        ("text", "  ", None),
    ],
)
def test_an_extractor_finds_the_answer(name, raw, answer):
    assert extractor(name)(raw) == answer


@pytest.mark.parametrize(
    ("name", "answer", "reference", "grade"),
    [
        ("exact", "7", " 7 ", 1.0), ("exact", "7", "8", 0.0), ("exact", None, "7", 0.0), ("exact", "a  b", "a b", 1.0),
        ("numeric", "1,250.0", "1250", 1.0), ("numeric", "1/3", "0.3333333", 1.0), ("numeric", "0.33", "1/3", 0.0),
        ("numeric", "50%", "0.5", 1.0), ("numeric", "50%", "50", 1.0), ("numeric", "50%", "50%", 1.0),
        ("numeric", "0.5%", "50%", 0.0), ("numeric", "1.2e3", "1,200", 1.0), ("numeric", "seven", "7", 0.0),
        ("numeric", "x", "x", 1.0), ("numeric", "0", "0.0", 1.0), ("numeric", "0.001", "0", 0.0),
        ("numeric", None, "7", 0.0), ("numeric", r"\(12\)", "12", 1.0), ("numeric", r"\frac12", "0.5", 1.0),
        ("numeric", "1{,}000", "1000", 1.0), ("numeric", "12\u00b0", "12", 1.0), ("numeric", "\u00a512", "13", 0.0),
        ("numeric", "1234568", "1234567", 0.0), ("numeric", "1,234,567.0", "1234567", 1.0),
        ("numeric", "12345678%", "12345679%", 0.0), ("numeric", "1234567.5", "1234567", 1.0),
        ("numeric", "602214080000000000000001", "6.0221408e23", 1.0), ("numeric", r"\left(-5\right)", "-5", 1.0),
        ("exact", "0.75", "3/4", 1.0), ("exact", "1000", "1,000", 1.0), ("exact", "3/4", "0.75", 0.0),
        ("choice", "(C)", "C", 1.0), ("choice", "C.", "(C)", 1.0), ("choice", "The answer is C", "c", 1.0),
        ("choice", "D", "C", 0.0), ("choice", "none of them", "C", 0.0), ("choice", None, "C", 0.0),
    ],
)  # fmt: skip
def test_a_grader_compares_with_the_reference(name, answer, reference, grade):
    assert grader(name)(answer, reference) == grade


@pytest.mark.parametrize("name", ["Boxed", "regex:(", ""])
def test_an_unknown_extractor_is_refused_with_the_known_ones_or_the_reason(name):
    with pytest.raises(InvalidInput, match=r"answer_line|no regular expression"):
        extractor(name)


def test_an_unknown_grader_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="exact, numeric, choice"):
        grader("fuzzy")


@given(st.text(alphabet=st.sampled_from("\\boxedfrac{}()[]ABC answer:is#*1,2./%e-+\n")))
def test_no_text_breaks_an_extractor_or_a_grader(raw):
    for name in ("answer_line", "last_number", "boxed", "choice", "text"):
        answer = extractor(name)(raw)
        for grade in ("exact", "numeric", "choice"):
            assert grader(grade)(answer, raw) in (0.0, 1.0)


@given(st.recursive(st.sampled_from(["1", "x", "\\frac12"]), lambda inner: inner.map(lambda text: f"\\sqrt{{{text}}}")))
def test_the_box_holds_what_was_put_in_it_however_deep(inside):
    assert extractor("boxed")(rf"thus \boxed{{{inside}}} is it") == inside


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("3 + 4 = 7\nAnswer: 7", "7"), ("So the Answer: 7.", "7"), ("**Answer:** 7", "7"), ("Answer:\n\n 7 ", "7"),
        ("Answer: 3. No!\nFinal answer: 7", "7"), (r"Answer: $\boxed{7}$", "7"), (r"thus \boxed{\frac12}", "0.5"),
        ("just  some\ntext", "just some text"), ("  ", None), ("Answer:", "Answer:"), ("Answer: 7\nAnswer:", "7"),
        ("Answer: 1,000", "1000"), ("Answer: $1000$", "1000"), (r"Answer: \(1000\)", "1000"), ("1000.0", "1000"),
        (r"\boxed{1{,}000}", "1000"), ("Answer: 007", "7"), ("Answer: 50 %", "50%"),
        ("Answer: 1,000 apples", "1,000 apples"), ("Answer: 1,2,3", "1,2,3"),
        ("Answer: " + "9" * 300 + "e300", "9" * 300 + "e300"),
    ],
)  # fmt: skip
def test_auto_reads_after_answer_else_a_box_else_all(raw, answer):
    assert extractor("auto")(raw) == answer


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ('{"answer": 7}', "7"), ('text {"answer": "a  b"} more', "a b"),
        ('{"answer": 1} {"answer": 2} {"other": 3}', "2"),
        ('```json\n{"answer": [1, 2]}\n```', "[1, 2]"), ('{"answer": null}', None), ("no json", None),
        ("{" * 50_000, None),
        ('{"a": ' * 50_000, None),
    ],
)  # fmt: skip
def test_a_field_of_the_last_json_object_that_has_it_is_read(raw, answer):
    assert extractor("json:answer")(raw) == answer


def test_raw_leaves_code_as_it_is():
    assert extractor("raw")("def f():\n    return 1\n") == "def f():\n    return 1\n"


def test_a_reference_can_be_a_pattern():
    assert [grader("regex")(answer, r"\d+( km)?") for answer in ("42", "42 km", "km 42", None)] == [1, 1, 0, 0]
    for pattern in ("(", "a{99999999999999}"):
        with pytest.raises(InvalidInput, match="regular expression"):
            grader("regex")("a", pattern)


@given(st.text(alphabet=st.sampled_from("0123456789,./%e-+$ \\(){}"), max_size=12), st.integers(0, 2000))
def test_auto_grades_a_number_as_it_was_written(raw, reference):
    found = extractor("text")(raw)
    if found is not None and parse_number(found) is not None:
        grades = [grader("numeric")(answer, str(reference)) for answer in (found, extractor("auto")(raw))]
        assert grades[0] == grades[1]


_LONG = 200_000
_REPEATED = (
    " ", "\n", "\t", "- \n", "\n*", "-", "*", "_", "{", "}", "(", "\\", "####\n", "1", "1,111,", "1.", "1/", "answer",
    "answer: ", "option ", "\nthe ", "A ", "\\boxed{", '{"":',
)  # fmt: skip
_BEFORE = ("", "answer", "Answer: x", '{"":' * 900 + "[")


@pytest.mark.parametrize("name", ["auto", "answer_line", "last_number", "boxed", "choice", "json:a"])
@pytest.mark.parametrize("before", _BEFORE)
def test_no_text_takes_an_extractor_long(name, before):
    extract, grade = extractor(name), grader("numeric")
    for repeated in _REPEATED:
        text = before + repeated * (_LONG // len(repeated)) + "x"
        started = time.process_time()
        extract(text)
        grade(text, "7")
        assert time.process_time() - started < 1, (before, repeated)
