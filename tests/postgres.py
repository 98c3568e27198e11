"""A private PostgreSQL server on loopback, for tests and benches."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Self

READY_SECONDS = 60


class NoPostgres(Exception):
    """It cannot be started here; the text says why."""


class PostgresServer:
    """A server with a folder and a port of its own; it may be stopped and started again with what it holds."""

    def __init__(self, *, synced: bool = False) -> None:
        """Raise NoPostgres where it is not installed. `synced`: what is committed outlives a crash of the machine."""
        self._programs = _programs()
        self._user = _unprivileged_user()
        self._folder = tempfile.mkdtemp(prefix="planner-pg-")
        self._data = Path(self._folder) / "data"
        self._synced = synced
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._data.mkdir()
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            os.chown(self._data, self._user.pw_uid, self._user.pw_gid)
        program, folder = str(self._programs / "initdb"), str(self._data)
        initialise = [program, "-D", folder, "-U", "planner", "-A", "trust", "-E", "UTF8", "-N"]
        subprocess.run(initialise, check=True, capture_output=True, **self._options)

    @property
    def url(self) -> str:
        """Of the server, without a database."""
        return f"postgresql://planner@127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        import psycopg

        command = [
            self._programs / "postgres", "-D", self._data, "-p", str(self._port), "-k", self._folder, "-h", "127.0.0.1",
            *(() if self._synced else ("-F",)),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._options)
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise NoPostgres("PostgreSQL did not start")
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"{self.url}/postgres", connect_timeout=1).close()
                return
            time.sleep(0.1)
        raise NoPostgres(f"PostgreSQL was not ready in {READY_SECONDS} seconds")

    def stop(self, *, at_once: bool = False) -> None:
        """End it, whoever is still connected; `at_once` as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self._process.wait(READY_SECONDS)
            self._process = None

    def new_database(self) -> str:
        """URL of a database without tables."""
        import psycopg

        name = f"planner_{uuid.uuid4().hex}"
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self.url}/{name}"

    @property
    def _options(self) -> dict[str, Any]:
        user = self._user
        as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return {**as_user, "cwd": self._folder, "env": {**os.environ, "LC_ALL": "C"}}


def _programs() -> Path:
    candidates = [Path(found).parent for found in [shutil.which("initdb")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for path in candidates:
        if all((path / name).exists() for name in ("initdb", "postgres")):
            return path
    raise NoPostgres("PostgreSQL is not installed (Debian package `postgresql`)")


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs the server: it refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("PostgreSQL refuses to run as root, and there is no other user")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
