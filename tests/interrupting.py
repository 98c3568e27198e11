"""Processes that Ctrl-C ends wherever their tests run: a background job of a shell is started with it ignored."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 30


@contextmanager
def started(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """The process, text on its pipes, with the system's own answer to SIGINT; ended where the block fails."""

    def heed() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(command, text=True, preexec_fn=heed, **options) as process:  # noqa: PLW1509 - no thread holds a lock here
        try:
            yield process
            process.wait(PATIENCE_SECONDS)
        except BaseException:
            process.kill()
            raise
