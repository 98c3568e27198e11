"""`planner serve` where it cannot begin: one line and an exit code, before any worker starts."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.service.listening import url_of

BROKEN = """
async def app(scope, receive, send):
    raise RuntimeError("no start")
"""
LISTENING = """
import sys
from planner.errors import PlannerError
from planner.service.listening import listen

if __name__ == "__main__":
    try:
        listen(app="broken:app", host="127.0.0.1", port=0, workers=2, lifespan="on")
    except PlannerError as error:
        print(error)
        sys.exit(error.exit_code)
"""


def begun(monkeypatch, folder, *arguments: str, **environment: str) -> tuple[int, str]:
    monkeypatch.chdir(folder)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["serve", *arguments])
    return done.exit_code, done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PLANNER_SERVICE_BUDGET": '{"mean_foo": 1}'}, "PLANNER_SERVICE_BUDGET cannot be used: mean_foo: "),
        (
            {"PLANNER_SERVICE_BUDGET": '{"mean_usd": 1, "mean_tokens": 1}'},
            "PLANNER_SERVICE_BUDGET cannot be used: at most one average",
        ),
        ({"PLANNER_SERVICE_BUDGET": "4"}, "service_budget"),
        ({"PLANNER_ENDPOINT_URL": "localhost:8000"}, "'localhost:8000' is no URL of an endpoint"),
        ({"PLANNER_ENDPOINT_URL": "lab", "PLANNER_VERIFIERS": '{"mine": "nothing"}'}, "verifier 'nothing'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_bad_input_in_one_line(monkeypatch, tmp_path, workers, environment, said):
    code, told = begun(monkeypatch, tmp_path, "--workers", workers, **environment)
    assert (code, told.count("\n")) == (2, 1)
    assert said in told


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_not_ready(monkeypatch, tmp_path, workers):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, told = begun(monkeypatch, tmp_path, "--port", port, "--workers", workers)
    assert (code, told.count("\n")) == (3, 1)
    assert f"port {port}: Address already in use; give another" in told


def test_workers_that_cannot_start_end_the_server_with_an_error(tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "listening.py").write_text(LISTENING)
    done = subprocess.run(
        [sys.executable, "listening.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (3, "the workers could not start: what is logged above says why\n")


def test_an_address_of_ipv6_stands_in_brackets():
    assert url_of("::1", 8321) == "http://[::1]:8321/"
    assert url_of("localhost", 80) == "http://localhost:80/"
