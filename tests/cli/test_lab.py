from __future__ import annotations

import signal
import socket
import subprocess
import sys

import httpx
from click.testing import CliRunner

from planner.cli import main
from tests.interrupting import started


def test_lab_serve_answers_until_it_is_interrupted():
    command = [sys.executable, "-m", "planner", "lab", "serve", "--port", "0"]
    with started(command, stderr=subprocess.PIPE) as process:
        url = process.stderr.readline().split()[0]
        models = httpx.get(f"{url}/models").json()["data"]
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert [model["id"] for model in models] == ["lab-small", "lab-large", "lab-reviser", "lab-prm"]
    assert (process.returncode, rest) == (0, "")


def test_a_port_that_is_taken_is_not_ready_and_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["lab", "serve", "--port", str(port)])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: nothing can listen on 127.0.0.1, port {port}: ")
