"""Processes that Ctrl-C ends wherever their tests run: a background job of a shell is started with it ignored."""

from __future__ import annotations

import signal
import subprocess


def started(command: list[str], **options: object) -> subprocess.Popen[str]:
    """The process, text on its pipes, with the system's own answer to SIGINT."""

    def heed() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return subprocess.Popen(command, text=True, preexec_fn=heed, **options)  # noqa: PLW1509 - no thread holds a lock here
