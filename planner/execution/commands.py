"""Commands of the user's own: text on standard input, within a time limit, without a shell."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from planner.errors import InvalidInput

TIMEOUT_SECONDS = 30.0
MOST_OUTPUT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status (None: it ran out of time), and the beginning of its output."""

    status: int | None
    output: str


def parse_command(text: str) -> tuple[str, ...]:
    """Program and arguments. Raises InvalidInput where the text cannot be read or there is no such program."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"the command {text!r} cannot be read: {error}") from error
    if not words or shutil.which(words[0]) is None:
        raise InvalidInput(f"the command {text!r} names no program that can be run: check its path")
    return tuple(words)


async def run_command(
    words: tuple[str, ...], given: str, *, timeout_seconds: float, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a command with `given` on its standard input.

    It leads a process group of its own, all of which is killed in the end: nothing that it started stays behind.
    """
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env=None if environment is None else {**os.environ, **environment},
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            _, output = await asyncio.gather(_feed(process, given), _read(process))
            status = await process.wait()
    except TimeoutError:
        return Ended(None, "")
    else:
        return Ended(status, output.decode("utf-8", "replace"))
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def score_of(ended: Ended) -> float:
    """What a command says of a text: the number on the last line of its output, else 1 for exit status 0.

    One that failed or ran out of time says 0. Raises InvalidInput for a number outside 0..1.
    """
    if ended.status != 0:
        return 0.0
    lines = ended.output.split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    try:
        score = float(last)
    except ValueError:
        return 1.0
    if not 0 <= score <= 1:
        raise InvalidInput(f"a command printed the score {last}: it has to lie in 0..1")
    return score


async def _feed(process: asyncio.subprocess.Process, given: str) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it need not read all, or anything
        process.stdin.write(given.encode("utf-8", "replace"))
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    """The end of what it prints; the rest is dropped, so that a command that prints on and on fills no memory."""
    assert process.stdout is not None
    output = b""
    while chunk := await process.stdout.read(MOST_OUTPUT_BYTES):
        output = (output + chunk)[-MOST_OUTPUT_BYTES:]
    return output
