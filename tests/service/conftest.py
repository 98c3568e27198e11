from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from planner.config import Settings
from planner.service.app import create_app

PROMPT = "Start with 11. Multiply by 5. How many now?"
URL = "http://127.0.0.1"


@pytest.fixture
def serve(home: Path) -> Iterator[object]:
    """A client of a service over the fitted home, by settings given."""
    opened: list[TestClient] = []

    def start(**settings: object) -> TestClient:
        client = TestClient(create_app(Settings.load(**settings)), base_url=URL, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve) -> TestClient:
    return serve()
