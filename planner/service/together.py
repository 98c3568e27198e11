"""Single recommendations that are asked for at one moment, planned as one batch: a third of the time for each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.api import Planner
from planner.core import Recommendation
from planner.errors import InvalidInput
from planner.policy.chat import prompt_input

MOST = 32
"""Prompts planned in one go: those that ask meanwhile wait no longer than a few milliseconds."""

_Asked = tuple[Mapping[str, Any], asyncio.Future[Recommendation]]


@dataclass
class Together:
    """Collects what the event loop's present turn asks for, and plans it at the next; nobody waits for others to come.

    For use on one event loop.
    """

    planner: Planner
    _waiting: dict[tuple[tuple[str, Any], ...], list[_Asked]] = field(default_factory=dict, init=False)

    async def recommend(self, prompt: Mapping[str, Any], options: Mapping[str, Any]) -> Recommendation:
        """As `Planner.recommend` of a mapping's prompt; `options` are its other arguments, all of them hashable.

        Raises what that raises, for this prompt alone.
        """
        prompt_input(prompt)  # an error of one prompt is no error of the others
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._plan)
        future: asyncio.Future[Recommendation] = loop.create_future()
        self._waiting.setdefault(tuple(options.items()), []).append((prompt, future))
        return await future

    def _plan(self) -> None:
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
