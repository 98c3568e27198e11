"""From an address to a server that listens there: uvicorn's, in this process or over several."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from planner.errors import NotReady


def url_of(host: str, port: int) -> str:
    """Where a browser finds it."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def check_free(host: str, port: int) -> None:
    """Raise NotReady where nothing can listen there now: it is told before a policy is loaded, and in one line."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return
    except OSError as error:
        raise NotReady(
            f"nothing can listen on {host}, port {port}: {(error.strerror or str(error)).partition(' (')[0]}; "
            "give another --host or --port, or end what listens there"
        ) from error


def listen(*, workers: int, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
    """Serve until it is told to end, by so many processes.

    Raises NotReady where workers could not start; a single process exits with its code.
    """
    if workers == 1:
        uvicorn.run(**options)
        return
    config = uvicorn.Config(workers=workers, **options)
    supervisor = Multiprocess(config, sockets=[config.bind_socket()])
    supervisor.run()
    # uvicorn.run would end as if all were well
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        raise NotReady("the workers could not start: what is logged above says why")
