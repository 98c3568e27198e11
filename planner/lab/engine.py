"""The thread in which the models compute: requests of all tasks are gathered and written side by side."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from planner.errors import EndpointUnavailable
from planner.lab.decoding import Decoder, Writing, Written
from planner.lab.llama import Llama
from planner.lab.prefixes import Prefixes
from planner.lab.prm import ProcessRewardModel
from planner.lab.stops import Stops
from planner.lab.tokenizer import Tokenizer, tokenizer
from planner.lab.weights import load

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

GENERATORS = {"lab-small": "small", "lab-large": "large", "lab-reviser": "revision"}
VERIFIER = "lab-prm"
_ROOM = {"small": 512, "large": 192, "revision": 512}
"""Samples that are written at once: keys and values of more would take hundreds of megabytes."""
_GATHER_SECONDS = 0.0005  # requests of tasks that were started together arrive within this time
_IDLE_SECONDS = 10.0

Item = tuple[tuple[int, ...], tuple[int, ...]]
"""Tokens of a prompt, and of an answer to be scored."""


@dataclass(frozen=True)
class Order:
    """What is asked of a generator: `n` completions after `tokens`; the rest as in decoding.Writing."""

    model: str
    tokens: tuple[int, ...]
    n: int
    seed: int
    temperature: float
    max_tokens: int
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None
    on_token: Callable[[int, int], None] | None = None


@dataclass(eq=False)
class _Scoring:
    """A request to score the steps of answers."""

    items: Sequence[Item]
    future: Future[list[tuple[float, ...]]] = field(default_factory=Future)


class Engine:
    """Runs the models one token at a time, for all requests together. Its thread starts and ends by itself.

    While it computes, BLAS is kept to one thread in the whole process: matrices this small are slower with more.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._writings: dict[str, deque[Writing]] = {name: deque() for name in GENERATORS}
        self._scorings: deque[_Scoring] = deque()
        self._decoders: dict[str, Decoder] = {}

    @property
    def tokenizer(self) -> Tokenizer:
        """The one of all its models."""
        return tokenizer()

    async def write(self, order: Order) -> list[Written]:
        """The completions that were ordered."""
        stops = Stops(self.tokenizer, order.stop)
        room = _ROOM[GENERATORS[order.model]]
        pieces = [
            Writing(
                order.tokens, min(room, order.n - first), order.seed, order.temperature, order.max_tokens, stops,
                first, order.top_logprobs, order.on_token,
            )
            for first in range(0, order.n, room)
        ]  # fmt: skip
        with self._changed:
            self._writings[order.model].extend(pieces)
            self._wake()
        written = await asyncio.gather(*(asyncio.wrap_future(piece.future) for piece in pieces))
        return [completion for piece in written for completion in piece]

    async def score(self, items: Sequence[Item]) -> list[tuple[float, ...]]:
        """Scores of the steps of each answer."""
        request = _Scoring(items)
        with self._changed:
            self._scorings.append(request)
            self._wake()
        return await asyncio.wrap_future(request.future)

    def close(self) -> None:
        """Give up what is being computed and end the thread; a later request starts another."""
        with self._changed:
            thread, self._closing = self._thread, self._thread is not None
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="planner-lab", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while self._await_requests():
            # Underflow and overflow to infinity are meant where they occur: a gate closes, a place weighs nothing.
            with self._threads.limit(limits=1, user_api="blas"), np.errstate(over="ignore", under="ignore"):
                while self._busy():
                    self._round()

    @cached_property
    def _threads(self) -> ThreadpoolController:
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - looks at every loaded library

        return ThreadpoolController()

    def _await_requests(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._queued(), _IDLE_SECONDS)
            self._changed.wait_for(lambda: self._closing, _GATHER_SECONDS if self._queued() else 0)
            if self._queued() and not self._closing:
                return True
            self._abandon()
            self._thread, self._closing = None, False
            return False

    def _abandon(self) -> None:
        writing = [owner for decoder in self._decoders.values() for owner in decoder.owners()]
        waiting = [request for queue in self._writings.values() for request in queue]
        _fail([*writing, *waiting, *self._scorings], EndpointUnavailable("the lab was closed meanwhile: ask again"))
        for queue in self._writings.values():
            queue.clear()
        self._scorings.clear()
        # What they hold is worth some hundred megabytes at most; reading it again costs milliseconds.
        self._decoders.clear()
        self.__dict__.pop("_verifier", None)

    def _queued(self) -> bool:
        return bool(self._scorings) or any(self._writings.values())

    def _busy(self) -> bool:
        return not self._closing and (self._queued() or any(decoder.active for decoder in self._decoders.values()))

    def _round(self) -> None:
        """Score what waits, and write one token for every sample of every model."""
        scorings = self._take_scorings()
        if scorings:
            try:
                self._score(scorings)
            except Exception as error:  # noqa: BLE001 - whoever waits is told, and the thread goes on for the others
                _fail(scorings, error)
        for model in GENERATORS:
            requests = self._take_writings(model)
            if requests or (model in self._decoders and self._decoders[model].active):
                self._write(model, requests)

    def _take_scorings(self) -> list[_Scoring]:
        with self._changed:
            taken = [request for request in self._scorings if not request.future.cancelled()]
            self._scorings.clear()
        return taken

    def _take_writings(self, model: str) -> list[Writing]:
        room = _ROOM[GENERATORS[model]] - (self._decoders[model].active if model in self._decoders else 0)
        taken: list[Writing] = []
        with self._changed:
            waiting = self._writings[model]
            while waiting and waiting[0].n <= room:
                request = waiting.popleft()
                if not request.future.cancelled():
                    taken.append(request)
                    room -= request.n
        return taken

    def _score(self, requests: list[_Scoring]) -> None:
        scores = iter(self._verifier.step_scores([item for request in requests for item in request.items]))
        for request in requests:
            own = [next(scores) for _ in request.items]
            with suppress(InvalidStateError):  # cancelled at this very moment
                request.future.set_result(own)

    def _write(self, model: str, requests: list[Writing]) -> None:
        if model not in self._decoders:
            llama = Llama(load(GENERATORS[model]))
            self._decoders[model] = Decoder(llama, Prefixes(llama), self.tokenizer, room=_ROOM[GENERATORS[model]])
        decoder = self._decoders[model]
        try:
            if requests:
                decoder.admit(requests)
            decoder.step()
        except Exception as error:  # noqa: BLE001 - whoever waits is told, and the thread goes on for the others
            del self._decoders[model]
            _fail([*requests, *decoder.owners()], error)

    @cached_property
    def _verifier(self) -> ProcessRewardModel:
        return ProcessRewardModel(Llama(load("prm")), self.tokenizer)


def _fail(requests: Sequence[_Scoring | Writing], error: Exception) -> None:
    """Tell all who wait for these requests."""
    for request in requests:
        with suppress(InvalidStateError):
            request.future.set_exception(error)
