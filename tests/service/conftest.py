from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import openai
import pytest
from browsing import FLAGS, server
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


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium here")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run([sys.executable, "-m", "planner", "demo"], cwd=folder, check=True, capture_output=True, timeout=300)
    with server(folder) as url:
        yield url


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.complaints = []
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()
    assert opened.complaints == [] or opened.tolerant, opened.complaints
