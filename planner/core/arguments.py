"""Arguments as Python callers give them: those of a wrong kind would be misread, or fail far from their name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

from planner.core.arm import Arm
from planner.core.budget import Budget
from planner.errors import InvalidInput

T = TypeVar("T")


def check_budget(what: str, given: object) -> None:
    """Raise InvalidInput for what is neither a budget nor None."""
    if given is not None and not isinstance(given, Budget):
        raise InvalidInput(f"{what}: expected a planner.Budget, such as Budget(max_tokens=8000), got {given!r:.200}")


def check_arm(given: object) -> None:
    """Raise InvalidInput for what is neither an arm nor None."""
    if given is not None and not isinstance(given, Arm):
        raise InvalidInput(f"arm: expected a planner.Arm, such as Arm(generator='small'), got {given!r:.200}")


def check_number(what: str, given: object) -> None:
    """Raise InvalidInput for what is neither a number nor None."""
    if given is not None and (not isinstance(given, Real) or isinstance(given, bool)):
        raise InvalidInput(f"{what}: expected a number, got {given!r:.200}")


def check_whole(what: str, given: object, least: int | None = None) -> None:
    """Raise InvalidInput for what is no whole number, or less than `least`."""
    if not isinstance(given, Integral) or isinstance(given, bool) or (least is not None and given < least):
        words = "" if least is None else f" of at least {least}"
        raise InvalidInput(f"{what}: expected a whole number{words}, got {given!r:.200}")


def check_text(what: str, given: object) -> None:
    """Raise InvalidInput for what is neither None nor text that can be stored."""
    if given is None:
        return
    if not isinstance(given, str):
        raise InvalidInput(f"{what}: expected text, got {given!r:.200}")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what}: is no valid UTF-8: {error}") from error


def names(what: str, given: Iterable[str]) -> tuple[str, ...]:
    """The names; raises InvalidInput for a lone one, which would be read by its letters, and for what is no text."""
    return listed(what, given, str, "'name'") if given != () else ()  # as good as always, in every recommendation


def listed(what: str, given: Iterable[T], kind: type[T], example: str) -> tuple[T, ...]:
    """The members; raises InvalidInput, with an example of one, for a lone one and where one is of another kind."""
    lone = isinstance(given, kind) or _is_lone(given)  # a model would be gone through by its fields
    found: Sequence[Any] = [given] if lone else list(given)
    wrong = found if lone else [one for one in found if not isinstance(one, kind)]
    if wrong:
        raise InvalidInput(f"{what}: expected a list such as [{example}], got {wrong[0]!r:.200}")
    return tuple(found)


def prompts_of(given: Iterable[T]) -> Sequence[T]:
    """The prompts, to be gone through more than once; raises InvalidInput for a lone one."""
    if _is_lone(given):
        raise InvalidInput(f"prompts: expected a list of prompts, also for one alone, got {given!r:.200}")
    return given if isinstance(given, list | tuple) else list(given)


def _is_lone(given: object) -> bool:
    return isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable)
