from __future__ import annotations

import asyncio
import os

from planner.core import Verdict, Verify
from planner.errors import EndpointRejected, InvalidInput
from planner.execution.commands import TIMEOUT_SECONDS, parse_command, run_command, score_of
from planner.execution.slots import Slots


class CommandVerifier:
    """A command as verifier, such as unit tests: the answer on its standard input, a score back.

    The score is the number in 0..1 on the last line that it prints, else 1 for exit status 0. One that fails, or does
    not end in time, gives 0: it is killed with all that it started. It costs no tokens.
    """

    def __init__(
        self, command: str, *, timeout_seconds: float = TIMEOUT_SECONDS, max_concurrency: int | None = None
    ) -> None:
        """Raises InvalidInput where there is no such program; `max_concurrency` defaults to the number of cores."""
        self._words = parse_command(command)
        self._timeout_seconds = timeout_seconds
        self._slots = Slots(max_concurrency or os.cpu_count() or 1)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order. Raises EndpointRejected for a score outside 0..1."""
        scoring = [asyncio.create_task(self._score(candidate)) for candidate in request.candidates]
        try:
            return tuple(await asyncio.gather(*scoring))
        finally:  # where one failed, no other runs on
            for task in scoring:
                task.cancel()
            await asyncio.gather(*scoring, return_exceptions=True)

    async def aclose(self) -> None:
        """Nothing is held: every command is over when its verdict is there."""

    async def _score(self, candidate: str) -> Verdict:
        async with self._slots.here:
            try:
                ended = await run_command(self._words, candidate, timeout_seconds=self._timeout_seconds)
                return Verdict(score_of(ended), tokens=0)
            except (InvalidInput, OSError) as error:
                raise EndpointRejected(f"the verifier command {self._words[0]} failed: {error}") from error
