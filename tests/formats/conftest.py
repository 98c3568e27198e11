from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
    """Writes records as JSON Lines and names the file."""

    def write(*records: Any, name: str = "runs.jsonl") -> Path:
        path = tmp_path / name
        lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


@pytest.fixture
def tables(store: Store) -> Callable[[], dict[str, list[tuple[Any, ...]]]]:
    """All rows of the tables that an import writes to."""
    import sqlite3

    def read() -> dict[str, list[tuple[Any, ...]]]:
        path = store.url.database if hasattr(store.url, "database") else str(store.url).removeprefix("sqlite:///")
        with sqlite3.connect(path) as connection:
            names = ("prompts", "models", "arms", "runs", "samples", "imports")
            found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
        connection.close()
        return found

    return read
