from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import openai
import pytest
from execution.hostile import Act, HostileServer
from gateway_world import endpoint, serving
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


@pytest.fixture
def live(home: Path) -> Iterator[Callable[..., str]]:
    """Starts the service on loopback by settings given; its URL. The endpoint is the laboratory, if none is named."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            serving(Settings.load(**{"endpoint_url": "lab", "log_level": "error", **settings}))
        )


@pytest.fixture
def scripted() -> Iterator[Callable[[Sequence[Act]], HostileServer]]:
    """Starts an endpoint that answers by acts."""
    with ExitStack() as stack:
        yield lambda *acts: stack.enter_context(endpoint(acts))


@pytest.fixture
def ask(live) -> Iterator[Callable[..., openai.OpenAI]]:
    """The official client of a service started by settings given."""
    with ExitStack() as stack:

        def start(**settings: object) -> openai.OpenAI:
            client = openai.OpenAI(base_url=f"{live(**settings)}/v1", api_key="none", max_retries=0)
            return stack.enter_context(client)

        yield start
