from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from planner.strategies import registered, selections


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Install a package with these entry points: its metadata lies in a temporary folder."""

    def put(entry_points: str) -> None:
        metadata = tmp_path / "one_by_one-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: one-by-one\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(str(tmp_path))
        registered.cache_clear()
        selections.cache_clear()

    yield put
    registered.cache_clear()
    selections.cache_clear()


@pytest.fixture
def third_party(install: Callable[[str], None]) -> None:
    searches = "[planner.strategies]\none_by_one = third_party:STRATEGY\n"
    install(searches + "[planner.selections]\nshortest = third_party:SELECTION\n")
