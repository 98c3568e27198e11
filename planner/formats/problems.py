"""Bad lines: collected while a file is read, shown together, and written out with reasons where they are skipped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import IO

from planner.errors import BadLog

SHOWN = 20
_CLIPPED = 120


@dataclass(frozen=True)
class Problem:
    """One bad line: where, which field, what is wrong and what was expected."""

    place: str
    field: str
    wrong: str
    expected: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.wrong}, expected {self.expected}"


@dataclass
class Problems:
    """Collects the problems of one import.

    `skip` says that bad lines are left out instead of stopping the import; their text and reason then go to
    `rejected` (JSON Lines), if it is given.
    """

    skip: bool = False
    rejected: IO[str] | None = None
    first: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, place: str, name: str, wrong: str, expected: str, *, line: object = None) -> None:
        """Note one bad line; `line` is what stands there, for the file of rejected lines."""
        problem = Problem(place, name, wrong, expected)
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(problem)
        if self.rejected is not None:
            self.rejected.write(json.dumps({"reason": str(problem), "line": line}, default=str) + "\n")

    @property
    def stops(self) -> bool:
        """Whether the import cannot be carried through: there are problems, and they are not skipped."""
        return self.count > 0 and not self.skip

    def raise_if_any(self) -> None:
        """Raise BadLog that names the first problems and counts the rest, unless bad lines are skipped."""
        if not self.stops:
            return
        lines = [str(problem) for problem in self.first]
        if self.count > len(lines):
            lines.append(f"and {self.count - len(lines):,} more bad lines")
        lines.append("nothing was imported: mend these lines, or leave them out with --skip-bad")
        raise BadLog("\n".join(lines))


def shown(value: object) -> str:
    """A value as an error text shows it: quoted, and cut where it is long.

    >>> shown("seven"), shown(2.0), shown(True)
    ("'seven'", '2', 'true')
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        return str(int(value))
    if isinstance(value, float | int):
        return "a number of more than 30 digits" if abs(value) > 10**30 and isinstance(value, int) else repr(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) <= _CLIPPED:
        return repr(text) if isinstance(value, str) else text
    return f"{text[:_CLIPPED]!r}... ({len(text):,} characters)"
