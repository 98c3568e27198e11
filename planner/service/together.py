"""Single recommendations that are asked for at one moment, planned as one batch: a third of the time for each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.api import Planner
from planner.core import Recommendation
from planner.errors import InvalidInput
from planner.policy import PromptInput
from planner.policy.chat import prompt_input

MOST = 32
"""Prompts planned in one go: those that ask meanwhile wait no longer than a few milliseconds."""
PAUSE_SECONDS = 0.0003
"""Clients that were answered together ask again together: so long after the last of them none of the others comes."""
MOST_PAUSES = 4

_Asked = tuple[PromptInput, asyncio.Future[Recommendation]]


@dataclass
class Together:
    """Collects what is asked for at one moment, and plans it in one go.

    Whoever asks first in a turn of the event loop is answered at once, the others of it together at the next. Where
    several asked together before, the next of them wait for the others as long as they keep coming, about a millisecond
    at most. For use on one event loop.
    """

    planner: Planner
    _n_waiting: int = field(default=0, init=False)
    _usual: int = field(default=1, init=False)
    _answered_now: bool = field(default=False, init=False)
    _waiting: dict[tuple[tuple[str, Any], ...], list[_Asked]] = field(default_factory=dict, init=False)

    async def recommend(self, prompt: Mapping[str, Any], options: Mapping[str, Any]) -> Recommendation:
        """As `Planner.recommend` of a mapping's prompt; `options` are its other arguments, hashable but for an arm.

        Raises what that raises, for this prompt alone.
        """
        if options.get("arm") is not None:  # no key to gather others by
            return self.planner.recommend(**prompt, **options)
        asked = prompt_input(prompt)  # an error of one prompt is no error of the others
        loop = asyncio.get_running_loop()
        if self._usual == 1 and not self._waiting and not self._answered_now:
            self._answered_now = True
            loop.call_soon(self._turn_over)
            answer = self.planner.recommend_batch([asked], **options)[0]
            if not isinstance(answer, Recommendation):
                raise answer
            return answer
        self._n_waiting += 1
        if not self._waiting:
            if self._usual > 1:
                self._pause(loop, MOST_PAUSES)
            else:
                loop.call_soon(self._plan)
        future: asyncio.Future[Recommendation] = loop.create_future()
        self._waiting.setdefault(tuple(options.items()), []).append((asked, future))
        return await future

    def _turn_over(self) -> None:
        self._answered_now = False

    def _pause(self, loop: asyncio.AbstractEventLoop, n_left: int) -> None:
        loop.call_later(PAUSE_SECONDS, self._look, loop, n_left - 1, self._n_waiting)

    def _look(self, loop: asyncio.AbstractEventLoop, n_left: int, n_before: int) -> None:
        if n_left and n_before < self._n_waiting < MOST:
            self._pause(loop, n_left)
        else:
            self._plan()

    def _plan(self) -> None:
        # A crowd that has gone is forgotten after a few plans.
        self._usual, self._n_waiting = max(self._n_waiting, (self._usual + 1) // 2), 0
        waiting, self._waiting = self._waiting, {}
        for options, asked in waiting.items():
            for first in range(0, len(asked), MOST):
                self._answer(dict(options), asked[first : first + MOST])

    def _answer(self, options: dict[str, Any], asked: list[_Asked]) -> None:
        answers: list[Recommendation | InvalidInput]
        try:
            answers = self.planner.recommend_batch([prompt for prompt, _ in asked], **options)
        except Exception as error:  # noqa: BLE001 - whoever asked has it
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():  # who asked is gone
                continue
            if isinstance(answer, Recommendation):
                future.set_result(answer)
            else:
                future.set_exception(answer)
