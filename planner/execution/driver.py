"""The driver: carries a search's requests to an endpoint and its replies back, within what the meter grants."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from planner.core import Completion, Endpoint, Generate, Reply, Request, Verdict, Verify
from planner.errors import EndpointError, PlannerError
from planner.execution.grants import Reservation
from planner.execution.meter import Meter
from planner.execution.server_slots import ServerSlots
from planner.strategies.pool import Interrupted, Replies, Requests, Result
from planner.strategies.transcript import Transcript, recorded

MOST_INTERRUPTIONS = 8
"""A search that asks on after so many refusals in a row would never end."""

Searching = Generator[Requests, Replies, Result]
SlotsOf = Callable[[Request], asyncio.Semaphore]


async def drive(
    search: Searching,
    endpoint: Endpoint,
    meter: Meter,
    *,
    transcript: Transcript | None = None,
    slots: SlotsOf | None = None,
) -> Result:
    """Run a search to its end: requests of one yield side by side, at most `endpoint.max_concurrency` at once.

    slots: the semaphore of a request, shared by the runs of one endpoint. transcript: gets every step, to be replayed.
    Where a ceiling or an endpoint lets only a part through, that part is handed on; where nothing came through,
    `Interrupted` is thrown into the search, which ends with what it has. Raises the EndpointError if it then has no
    answer at all. What was spent stands in the meter whatever happens, cancellation included.
    """
    return await _Drive(endpoint, meter, slots or ServerSlots(endpoint).of).run(
        search if transcript is None else recorded(search, transcript)
    )


@dataclass
class _Drive:
    endpoint: Endpoint
    meter: Meter
    slots: SlotsOf
    stopped: Interrupted | None = None
    failure: EndpointError | None = None
    refusals: int = 0

    async def run(self, search: Searching) -> Result:
        try:
            requests = next(search)
            while True:
                answer = await self._answer(requests)
                requests = search.throw(answer) if isinstance(answer, Interrupted) else search.send(answer)
        except StopIteration as end:
            result: Result = end.value
        finally:
            search.close()
        if self.failure is not None and result.chosen is None:
            raise self.failure
        reason = self.failure or self.stopped
        if reason is None:
            return result
        return replace(result, interrupted=result.interrupted or str(reason), failure=self.failure)

    async def _answer(self, requests: Requests) -> Replies | Interrupted:
        """Replies to one yield, or why there is none at all."""
        batch = _Batch(self, requests)
        await batch.answer()
        if batch.brought_anything or not requests:
            self.refusals = 0
            return batch.replies()
        self.refusals += 1
        if self.refusals > MOST_INTERRUPTIONS:
            raise PlannerError("the search asks on although it was told that there is no more: see its strategy")
        return Interrupted(str(self.failure or self.stopped or "nothing came back"))


@dataclass
class _Batch:
    """The requests of one yield, and what has come back for each, part by part."""

    drive: _Drive
    requests: Requests
    parts: list[list[Reply]] = field(init=False)
    waiting: deque[tuple[int, Request]] = field(init=False)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    unbegun: set[Reservation] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parts = [[] for _ in self.requests]
        self.waiting = deque(enumerate(self.requests))

    @property
    def brought_anything(self) -> bool:
        return any(len(part) for parts in self.parts for part in parts)

    def replies(self) -> list[Reply]:
        """One reply a request: completions perhaps fewer than asked, verdicts one a candidate."""
        return [_joined(request, parts) for request, parts in zip(self.requests, self.parts, strict=True)]

    async def answer(self) -> None:
        """Send what is granted until all requests are answered, refused or out of time."""
        try:
            while True:
                granted = list(self._granted())
                if len(granted) == 1 and not (self.waiting or self.running) and not self._is_timed:
                    # A task of its own, waited for beside a clock, would take a tenth of a millisecond more.
                    await self._ask(*granted[0])
                    return
                self._start(granted)
                if not (self.waiting or self.running):
                    return
                await self._wait()
        finally:
            await self._break_off()

    @property
    def _is_timed(self) -> bool:
        """Whether a ceiling of time may end the run while it waits."""
        return self.drive.meter.remaining_seconds is not None

    def _granted(self) -> Iterator[tuple[int, Reservation]]:
        """Every part that the meter grants now, and the place of the request that it belongs to."""
        while self.waiting:
            place, request = self.waiting[0]
            try:
                reservation = self.drive.meter.reserve(request)
            except Interrupted as stop:
                self.drive.stopped = stop
                self.waiting.popleft()
                continue
            if reservation is None:
                return
            self.unbegun.add(reservation)
            self.waiting.popleft()
            rest = _rest(request, reservation.request)
            if rest is not None:
                self.waiting.appendleft((place, rest))
            yield place, reservation

    def _start(self, granted: Sequence[tuple[int, Reservation]]) -> None:
        """Send the parts side by side."""
        for place, reservation in granted:
            task = asyncio.create_task(self._ask(place, reservation))
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def _wait(self) -> None:
        """Until something is over, or time is up."""
        meter = self.drive.meter
        left = meter.remaining_seconds
        timeout = None if left is None else max(left, 0.0)
        if self.running:
            until = asyncio.FIRST_COMPLETED if self.waiting else asyncio.FIRST_EXCEPTION
            done, _ = await asyncio.wait(self.running, timeout=timeout, return_when=until)
            for task in done:
                task.result()
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(meter.changed(), timeout)
        try:
            meter.check_time()
        except Interrupted as stop:
            self.drive.stopped = stop
            self.waiting.clear()
            await self._break_off()

    async def _break_off(self) -> None:
        """Cancel what is in flight; its cost is counted as expected."""
        tasks = list(self.running)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        while self.unbegun:  # a task that is cancelled before its first step never runs
            self.drive.meter.release(self.unbegun.pop())

    async def _ask(self, place: int, reservation: Reservation) -> None:
        """Send one granted request, settle it, and keep what came back."""
        meter, endpoint, request = self.drive.meter, self.drive.endpoint, reservation.request
        self.unbegun.discard(reservation)
        sent = False
        try:
            async with self.drive.slots(request):
                sent = True
                reply: Reply
                if isinstance(request, Generate):
                    reply = await endpoint.generate(request)
                else:
                    reply = await endpoint.verify(request)
        except EndpointError as error:
            # What was sent and never answered in time was paid for, at each try; what was refused was not.
            if error.abandoned:
                meter.abandon(reservation, tries=error.abandoned)
            else:
                meter.release(reservation)
            self.drive.failure = error
        except BaseException:
            (meter.abandon if sent else meter.release)(reservation)
            raise
        else:
            meter.settle(reservation, reply)
            self.parts[place].append(reply)


def _rest(request: Request, granted: Request) -> Request | None:
    """What was asked for and not granted yet."""
    if isinstance(request, Generate) and isinstance(granted, Generate):
        left = request.n - granted.n
        if left == 0:
            return None
        # With the same seed, a server that keeps it would write the same completions again.
        seed = None if request.seed is None else _next_seed(request.seed, granted.n)
        return replace(request, n=left, generations=request.generations * left / request.n, seed=seed)
    if isinstance(request, Verify) and isinstance(granted, Verify):
        left_over = request.candidates[len(granted.candidates) :]
        return replace(request, candidates=left_over) if left_over else None
    return None


def _next_seed(seed: int, n: int) -> int:
    digest = hashlib.blake2b(repr((seed, n)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1


def _joined(request: Request, parts: list[Reply]) -> Reply:
    """The parts of a reply as one: no more than was asked for, and a verdict a candidate."""
    if isinstance(request, Generate):
        return tuple(one for part in parts for one in part if isinstance(one, Completion))[: request.n]
    verdicts = [one for part in parts for one in part if isinstance(one, Verdict)][: len(request.candidates)]
    return (*verdicts, *[Verdict(None)] * (len(request.candidates) - len(verdicts)))
