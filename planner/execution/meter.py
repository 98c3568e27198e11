"""The meter: reserves before a run spends, settles after, and keeps every ceiling of its budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from planner.core import Budget, Completion, Cost, Generate, ModelCard, Reply, Request, Usage
from planner.errors import InvalidInput
from planner.execution.grants import Amounts, Grants, Reservation
from planner.execution.ledger import Ledger
from planner.execution.lengths import Judging, Lengths
from planner.execution.prices import Counts, Prices, Role
from planner.execution.tally import SUMS, Tally, counts_of
from planner.strategies.pool import Interrupted


@dataclass(frozen=True, slots=True)
class Settled:
    """One request that is over; `reply` is None where it was broken off and its counts are what was expected."""

    request: Request
    reply: Reply | None
    counts: Counts


class Meter:
    """Keeps the ceilings of one run, and of accounts that it shares with other runs.

    What is granted is expected to fit beside the most that everything in flight may take, so a ceiling is passed by
    one completion at most. Tries that an endpoint gave up on by itself count as expected, since their server may have
    gone on. The clock of a latency ceiling starts when the meter is made.
    Used by the tasks of one event loop.
    """

    def __init__(
        self,
        budget: Budget | None,
        cards: Mapping[str, ModelCard],
        *,
        completion_tokens: float | None = None,
        verified_by: Mapping[str, str] | None = None,
        shared: Sequence[Ledger] = (),
        free: Collection[str] = (),
        judges: Mapping[str, Judging] = MappingProxyType({}),
        clock: Callable[[], float] = time.monotonic,
        on_settled: Callable[[Settled], None] | None = None,
    ) -> None:
        """Only the ceilings of `budget` are kept; averages are for who plans.

        completion_tokens: of one answer, as forecast; None where unknown.
        verified_by: the verifier that is to score a generator's completions; what that takes is kept for it.
        free: verifiers that cost nothing, being functions and commands. judges: those that write their verdicts.
        on_settled: told of every request that is over.
        """
        self._budget = budget or Budget()
        self._ledgers = (Ledger(self._budget.ceilings), *shared)
        self._prices = Prices(cards, free, judges)
        self._lengths = Lengths(completion_tokens, self._prices.judging)
        self._grants = Grants(self._prices, self._lengths, self._ledgers)
        self._verified_by = dict(verified_by or {})
        self._unverified: dict[str, list[Reply]] = {}
        self._tally = Tally(self._prices)
        self._clock = clock
        self._started = clock()
        self._on_settled = on_settled
        self._limited = tuple(unit for unit in SUMS if any(unit in ledger.ceilings for ledger in self._ledgers))

    def require(self, models: Sequence[tuple[str, Role]]) -> None:
        """Raise InvalidInput, naming the missing field, where a ceiling could not be kept for one of the models."""
        self._prices.require(self._limited, models)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was spent so far."""
        return self._tally.is_empty

    @property
    def cost(self) -> Cost:
        """What was spent so far; None in a unit where a model card or a server is silent."""
        return self._tally.cost(self._clock() - self._started)

    @property
    def usage(self) -> tuple[Usage, ...]:
        """Requests and tokens by model, in the order of first use."""
        return self._tally.usage

    @property
    def verdicts(self) -> int:
        """Candidates that were given to a verifier."""
        return self._tally.verdicts

    @property
    def remaining_seconds(self) -> float | None:
        """Until the latency ceiling; None without one."""
        ceiling = self._budget.max_latency_seconds
        return None if ceiling is None else ceiling - (self._clock() - self._started)

    def check_time(self) -> None:
        """Raise Interrupted once the latency ceiling is reached."""
        left = self.remaining_seconds
        if left is not None and left <= 0:
            raise Interrupted(f"the ceiling of {self._budget.max_latency_seconds:g} seconds is reached")

    def reserve(self, request: Request) -> Reservation | None:
        """Hold what the request may take, or as much of it as fits; None: wait until something in flight is settled.

        Raises Interrupted where no part of it fits any more, and InvalidInput where its cost in a limited unit is
        unknown (Interrupted once something is spent).
        """
        self.check_time()
        self._require_known(request)
        if isinstance(request, Generate):
            verifier = self._verified_by.get(request.generator)
            reservation = self._grants.generate(request, self._verifying(), verifier)
        else:
            reservation = self._grants.verify(request)
            self._unverified.pop(request.verifier, None)
        if reservation is not None:
            for ledger in self._ledgers:
                ledger.hold(reservation.most)
        return reservation

    def settle(self, reservation: Reservation, reply: Reply) -> None:
        """Count what came back, in place of what was held."""
        request = reservation.request
        self._lengths.learn(request, reply)
        if isinstance(request, Generate) and request.generator in self._verified_by:
            self._unverified.setdefault(self._verified_by[request.generator], []).append(reply)
        counts = counts_of(request, reply)
        counted = (counts, counts.filled(reservation.expected))
        if abandoned := sum(one.abandoned for one in reply):
            known, assumed = (one.plus(reservation.expected, abandoned / _size(request)) for one in counted)
            counted = (known, assumed)
        self._close(reservation, *counted, reply)

    def abandon(self, reservation: Reservation, *, tries: int = 1) -> None:
        """Count a request that was broken off, after so many tries, as what each was expected to take.

        Its server may well go on.
        """
        expected = reservation.expected.plus(reservation.expected, tries - 1)
        self._close(reservation, expected, expected, None)

    def release(self, reservation: Reservation) -> None:
        """Take back what was held for a request that failed."""
        self._free(reservation, dict.fromkeys(SUMS, 0.0))

    async def changed(self) -> None:
        """Wait until something settles in an account that the run shares with others."""
        for ledger in self._ledgers:
            if ledger.in_flight:
                await ledger.changed()
                return

    def _require_known(self, request: Request) -> None:
        asked: tuple[str, Role]
        asked = (request.generator, "generator") if isinstance(request, Generate) else (request.verifier, "verifier")
        try:
            self.require([asked])
        except InvalidInput as error:
            if self._tally.is_empty:
                raise
            raise Interrupted(str(error)) from error

    def _verifying(self) -> Amounts:
        """What scoring the completions that are not scored yet will take."""
        total = dict.fromkeys(SUMS, 0.0)
        for verifier, replies in self._unverified.items():
            n, tokens = sum(map(len, replies)), sum(map(_tokens, replies))
            for unit, amount in self._grants.verifying(verifier, n, tokens).items():
                total[unit] += amount
        return total

    def _close(self, reservation: Reservation, known: Counts, assumed: Counts, reply: Reply | None) -> None:
        request = reservation.request
        self._tally.add(request, known)
        name = request.generator if isinstance(request, Generate) else request.verifier
        self._free(reservation, {unit: self._prices.cost(name, assumed, unit) or 0.0 for unit in SUMS})
        if self._on_settled is not None:
            self._on_settled(Settled(request, reply, known))

    def _free(self, reservation: Reservation, spent: Amounts) -> None:
        for ledger in self._ledgers:
            ledger.settle(reservation.most, spent)


def _tokens(reply: Reply) -> float:
    completions = (one for one in reply if isinstance(one, Completion))
    return float(sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one in completions))


def _size(request: Request) -> int:
    """Completions or verdicts that are asked for."""
    return request.n if isinstance(request, Generate) else len(request.candidates)
