"""Writes measured figures into README.md, between `<!-- figures:NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

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
