"""Graders: how far an answer is correct, by its reference, a function or a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from planner.core import Sample
from planner.errors import InvalidInput
from planner.execution.commands import TIMEOUT_SECONDS, parse_command, run_command, score_of
from planner.execution.functions import call, is_function_name, load_function
from planner.formats.answers import GRADERS, grade_exact
from planner.formats.answers import grader as pure_grader

Grader = Callable[[str | None, str], Awaitable[float]]
"""From an answer (None: none was given) and its reference to a grade in 0..1."""

FORMS = (*GRADERS, "math", "MODULE:FUNCTION", "command:PROGRAM ARGUMENTS")
_COMMAND = "command:"


@dataclass
class Grades:
    """Grades of the answers to one prompt, each graded once; none where `grader` is None."""

    grader: Grader | None
    reference: str | None
    _by_answer: dict[str | None, float] = field(default_factory=dict, init=False)

    async def take(self, samples: Iterable[Sample]) -> None:
        """Grade the samples' answers; where the grader raises, those before stay graded."""
        for sample in samples:
            if self.grader is not None and sample.status != "error" and sample.answer not in self._by_answer:
                self._by_answer[sample.answer] = await self.grader(sample.answer, self.reference or "")

    def of(self, sample: Sample) -> float | None:
        """The sample's grade; None where it failed or is not graded."""
        return None if sample.status == "error" else self.of_answer(sample.answer)

    def of_answer(self, answer: str | None) -> float | None:
        """The grade of an answer of some sample; None where none is graded."""
        return self._by_answer.get(answer)


def grader(name: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Grader:
    """The grader of that name.

    `exact`, `numeric`, `choice`, `regex` and `math` compare with the reference; `module:function` is called with
    answer and reference; `command:...` gets the answer on standard input and the reference in PLANNER_REFERENCE, and
    says a number in 0..1 on its last line, else 1 by exit status 0. Raises InvalidInput for what cannot be used.
    """
    if name == "math":
        return _pure(_math_grader())
    if name.startswith(_COMMAND):
        return _command(parse_command(name.removeprefix(_COMMAND)), timeout_seconds)
    if is_function_name(name):
        return _function(name, load_function(name))
    if name not in GRADERS:
        raise InvalidInput(f"unknown grader {name!r}: use one of {', '.join(FORMS)}")
    return _pure(pure_grader(name))


def _pure(grade: Callable[[str | None, str], float]) -> Grader:
    async def graded(answer: str | None, reference: str) -> float:
        return grade(answer, reference)

    return graded


def _command(words: tuple[str, ...], timeout_seconds: float) -> Grader:
    async def graded(answer: str | None, reference: str) -> float:
        if answer is None:
            return 0.0
        environment = {"PLANNER_REFERENCE": reference.replace("\0", "")}
        return score_of(await run_command(words, answer, timeout_seconds=timeout_seconds, environment=environment))

    return graded


def _function(name: str, function: Callable[..., Any]) -> Grader:
    async def graded(answer: str | None, reference: str) -> float:
        if answer is None:
            return 0.0
        try:
            grade = float(await call(function, answer, reference))
        except Exception as error:
            raise InvalidInput(f"grader {name} failed on the answer {answer[:80]!r}: {error!r}") from error
        if not 0 <= grade <= 1:
            raise InvalidInput(f"grader {name} gave {grade:g}: a grade lies in 0..1")
        return grade

    return graded


def _math_grader() -> Callable[[str | None, str], float]:
    try:
        from math_verify import parse, verify  # noqa: PLC0415 - an extra, and its import takes a second
    except ImportError as error:
        raise InvalidInput("the grader `math` needs math-verify: run `pip install 'planner[math]'`") from error

    def grade(answer: str | None, reference: str) -> float:
        if answer is None:
            return 0.0
        if grade_exact(answer, reference):
            return 1.0
        # Its time limit works by signals, which only a main thread gets; its parser is bounded by the text's length.
        wanted, given = (parse(f"${text[:2000]}$", parsing_timeout=None) for text in (reference, answer))
        return float(bool(verify(wanted, given, timeout_seconds=None)))

    return grade
