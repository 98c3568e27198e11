from __future__ import annotations

import signal
import subprocess
import sys

import httpx

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
