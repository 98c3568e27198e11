"""Every operation of the HTTP API under schemathesis, against a real server: `make test-api`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from planner.api import Planner
from planner.store.card_files import read_model_cards
from tests.bench.logs import LAB_CARDS, LAB_SAMPLES

CONFIG = Path(__file__).parent / "schemathesis.toml"
LIMITS = {"PLANNER_SERVICE_MAX_BATCH": "50", "PLANNER_LOG_LEVEL": "error", "PLANNER_ENDPOINT_URL": "lab"}


def main() -> int:
    """Fit on the bundled samples, serve, try, and give schemathesis' exit code."""
    with tempfile.TemporaryDirectory() as folder:
        with Planner.open(f"sqlite:///{folder}/planner.db") as planner:
            planner.store.save_models(read_model_cards(LAB_CARDS))
            planner.import_logs(LAB_SAMPLES)
            planner.fit(seed=0)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "planner", "serve", "--port", str(port)]
        with subprocess.Popen(command, cwd=folder, env=os.environ | LIMITS, stderr=subprocess.DEVNULL) as server:
            url = f"http://127.0.0.1:{port}"
            try:
                _wait(f"{url}/readyz")
                tool = Path(sys.executable).parent / "schemathesis"
                return subprocess.run(
                    [tool, "--config-file", CONFIG, "run", f"{url}/openapi.json"], check=False, cwd=folder
                ).returncode
            finally:
                server.terminate()


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


if __name__ == "__main__":
    sys.exit(main())
