"""Writes measured figures into README.md, between `<!-- figures:NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

COLUMNS = ("measured", "by round", "wanted")
"""After what was measured; for the rows of `by_round` and `once`."""
PACE = "a million turns of a bare loop, between the rounds"
README = Path(__file__).resolve().parents[2] / "README.md"


def write_figures(name: str, text: str, *, file: Path = README) -> None:
    """Replace the block `name` of the README; raises LookupError where the README has none."""
    block = re.compile(rf"(<!-- figures:{re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    before = file.read_text("utf-8")
    after, found = block.subn(lambda match: f"{match[1]}{text.strip()}\n{match[2]}", before)
    if not found:
        raise LookupError(f"{file.name} has no block <!-- figures:{name} -->")
    file.write_text(after, "utf-8")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, first column left, the rest right aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """One line that says on what a figure was measured."""
    return f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, CPython {platform.python_version()}"


def pace_ms() -> float:
    """Milliseconds that a million turns of a bare loop take now: a shared machine is not always equally fast."""
    return 1e3 * median(_loop_seconds() for _ in range(5))


def by_round(what: str, values: Sequence[float], wanted: str = "", *, form: str = "{:.2f}") -> list[object]:
    """A row of a table with the columns of COLUMNS: the median of the rounds, and the least and the most of any."""
    least, middle, most = (form.format(value) for value in (min(values), median(values), max(values)))
    return [what, middle, f"{least} to {most}", wanted]


def once(what: str, found: str, wanted: str = "") -> list[object]:
    """A row of such a table for what was measured once."""
    return [what, found, "", wanted]


def _loop_seconds() -> float:
    start, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number * number % 7
    return time.perf_counter() - start
