"""What many of these tests write to."""

from __future__ import annotations

import pytest

from planner.store import Store


@pytest.fixture
def store(tmp_path):
    """A store in a file of its own."""
    with Store.open(f"sqlite:///{tmp_path / 'planner.db'}") as opened:
        yield opened
