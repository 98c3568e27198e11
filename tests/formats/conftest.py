from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from planner.store import Store

GOOD = {
    "run_id": "r1", "prompt_id": "p1", "prompt": "How many primes are below 10?", "dataset": "primes", "reference": "4",
    "generator": "small", "verifier": "prm", "search": "sampling", "breadth": 2, "depth": 1,
    "samples": [
        {"chain": 0, "attempt": 0, "answer": "4", "correct": 1.0, "score": 0.9, "completion_tokens": 12},
        {"chain": 1, "attempt": 0, "answer": "5", "correct": 0.0, "score": 0.2, "completion_tokens": 15},
    ],
}  # fmt: skip
TABLES = ("prompts", "models", "arms", "runs", "samples", "imports")


@pytest.fixture
def good() -> dict[str, Any]:
    """A run that can be imported as it is."""
    return json.loads(json.dumps(GOOD))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'planner.db'}")
    yield opened
    opened.close()


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Writes records (or raw bytes) as JSON Lines and names the file."""

    def write(*records: Any, name: str = "runs.jsonl") -> Path:
        path = tmp_path / name
        lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Rows of a query, as people see them who open the file with sqlite3."""

    def read(query: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(tmp_path / "planner.db")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    return read


@pytest.fixture
def contents(rows: Callable[..., list[dict[str, Any]]]) -> Callable[[], dict[str, list[dict[str, Any]]]]:
    """Everything in the tables that an import writes to."""
    return lambda: {name: rows(f"SELECT * FROM {name}") for name in TABLES}
