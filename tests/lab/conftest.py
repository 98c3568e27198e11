from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from planner.lab import LabEndpoint


@pytest.fixture(scope="session")
def lab() -> Iterator[LabEndpoint]:
    """One endpoint for all tests that do not look at what it remembers."""
    endpoint = LabEndpoint()
    yield endpoint
    asyncio.run(endpoint.aclose())
