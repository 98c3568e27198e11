"""How much of a request may be sent: what is expected to fit beside the most that others in flight may take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from planner.core import Generate, Request, Unit, Verify
from planner.execution.ledger import Ledger
from planner.execution.lengths import GENEROUS, Lengths
from planner.execution.prices import Counts, Prices
from planner.execution.tally import SUMS
from planner.strategies.pool import Interrupted

Amounts = Mapping[Unit, float]


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """What was granted.

    request: what may be sent: the one asked for, or fewer of its completions or candidates; where ceilings in
    tokens, FLOPs or USD are near, with a `max_tokens` that keeps them.
    most: held for it, by unit. expected: what it is likely to take.
    """

    request: Request
    most: Amounts
    expected: Counts


@dataclass(frozen=True)
class Grants:
    """The rule of admission over the accounts of a run.

    A part of a request is granted if its last completion is expected to fit, all others at their most: so what is in
    flight passes a ceiling by one completion at most, if servers keep `max_tokens`.
    """

    prices: Prices
    lengths: Lengths
    ledgers: Sequence[Ledger]

    def generate(self, request: Generate, verifying: Amounts, verifier: str | None) -> Reservation | None:
        """The grant for completions; `verifying` is kept for scoring those that came back before.

        None where it has to wait for something in flight; raises Interrupted where nothing fits any more.
        """
        hardly = self.lengths.completion_bound(request)
        allowed = math.inf if request.max_tokens is None else request.max_tokens
        # As asked for, if that fits: only near a ceiling is a completion's length limited.
        likely = self._likely(request, verifier)
        ample = self._at_most(request, min(allowed, GENEROUS * hardly), verifier)
        if self._fitting(likely, ample, verifying) >= request.n:
            return self._granted(request, request.n, ample)
        bound = min(allowed, math.ceil(hardly))
        most = self._at_most(request, bound, verifier)
        n = min(request.n, self._fitting(likely, most, verifying))
        if n == 0:
            self._wait_or_stop(likely, verifying)
            return None
        limited = any(unit in ledger.ceilings for ledger in self.ledgers for unit in SUMS[1:])
        capped = replace(request, max_tokens=int(bound)) if limited else request
        return self._granted(capped, n, most)

    def verify(self, request: Verify) -> Reservation | None:
        """The grant for scores: of the first candidates, as many as fit."""
        expected, most = [], []
        generations = self.lengths.verdict_generations(request.verifier)
        written, most_written = (self.lengths.written(request.verifier, most=most) for most in (False, True))
        for candidate in request.candidates:
            tokens = self.lengths.verify(request, candidate) + written
            expected.append(Counts(generations, verifier=tokens, written=written))
            tokens = self.lengths.verify(request, candidate, most=True) + most_written
            bound = Counts(math.ceil(generations), verifier=tokens, written=most_written)
            most.append(self._amounts(request.verifier, bound))
        n, held = 0, dict.fromkeys(SUMS, 0.0)
        for one, at_most in zip(expected, most, strict=True):
            if not self._fits(held, self._amounts(request.verifier, one)):
                break
            n += 1
            held = {unit: held[unit] + at_most[unit] for unit in SUMS}
        if n == 0 and request.candidates:
            self._wait_or_stop(self._amounts(request.verifier, expected[0]), dict.fromkeys(SUMS, 0.0))
            return None
        granted = request if n == len(request.candidates) else replace(request, candidates=request.candidates[:n])
        tokens = sum(one.verifier or 0.0 for one in expected[:n])
        total = Counts(n * generations, verifier=tokens, written=n * written)
        return Reservation(granted, held, total)

    def verifying(self, verifier: str, n: int, tokens: float) -> Amounts:
        """What scoring `n` completions of so many tokens in all costs."""
        written = n * self.lengths.written(verifier)
        read = tokens + n * self.lengths.wording(verifier)
        generations = n * self.lengths.verdict_generations(verifier)
        return self._amounts(verifier, Counts(generations, verifier=read + written, written=written))

    def _granted(self, request: Generate, n: int, most: Amounts) -> Reservation:
        part = replace(request, n=n, generations=request.generations * n / request.n) if n < request.n else request
        prompt, completion = n * self.lengths.prompt(request), n * self.lengths.completion(request)
        billed = n * self.lengths.billed_prompt(request)
        expected = Counts(part.generations, prompt, billed, completion=completion)
        return Reservation(part, {unit: n * amount for unit, amount in most.items()}, expected)

    def _likely(self, request: Generate, verifier: str | None) -> Amounts:
        """One completion, and its score."""
        prompt, completion = self.lengths.prompt(request), self.lengths.completion(request)
        billed = self.lengths.billed_prompt(request)
        own = Counts(request.generations / request.n, prompt, billed, completion=completion)
        return self._scored(request.generator, own, verifier)

    def _at_most(self, request: Generate, completion_tokens: float, verifier: str | None) -> Amounts:
        """One completion of so many tokens, and its score."""
        prompt = self.lengths.prompt(request, most=True)
        own = Counts(request.generations / request.n, prompt, prompt, completion=completion_tokens)
        return self._scored(request.generator, own, verifier)

    def _scored(self, generator: str, own: Counts, verifier: str | None) -> Amounts:
        """A completion, and its score: what is in flight leaves room for both."""
        amounts = self._amounts(generator, own)
        if verifier is None:
            return amounts
        score = self.verifying(verifier, 1, (own.prompt or 0.0) + (own.completion or 0.0))
        return {unit: amounts[unit] + score[unit] for unit in SUMS}

    def _amounts(self, model: str, counts: Counts) -> Amounts:
        """Cost by unit; a unit in which it is unknown has no ceiling (`Prices.require`)."""
        return {unit: self.prices.cost(model, counts, unit) or 0.0 for unit in SUMS}

    def _fitting(self, likely: Amounts, most: Amounts, verifying: Amounts) -> int:
        """How many completions may be in flight together."""
        n = math.inf
        for ledger in self.ledgers:
            for unit in ledger.ceilings:
                spare = ledger.room(unit) - verifying[unit] - likely[unit]
                if spare < 0:
                    return 0
                each = max(most[unit], likely[unit])
                n = min(n, 1 + spare // each if each else math.inf)
        return int(min(n, 2**31))

    def _fits(self, held: Amounts, likely: Amounts) -> bool:
        return all(
            held[unit] + likely[unit] <= ledger.room(unit) for ledger in self.ledgers for unit in ledger.ceilings
        )

    def _wait_or_stop(self, likely: Amounts, verifying: Amounts) -> None:
        """Raise Interrupted unless it would fit if what is in flight took nothing at all."""
        waits = any(ledger.in_flight for ledger in self.ledgers)
        rooms = [
            (ledger.room(unit, held=not waits), unit, ceiling)
            for ledger in self.ledgers
            for unit, ceiling in ledger.ceilings.items()
        ]
        room, unit, ceiling = min(rooms, key=lambda each: each[0] - verifying[each[1]] - likely[each[1]])
        if not waits or room < verifying[unit] + likely[unit]:
            raise Interrupted(f"the ceiling of {ceiling:g} {_WORDS.get(unit, unit)} is reached")


_WORDS: Mapping[Unit, str] = {"flops": "FLOPs", "usd": "USD"}
