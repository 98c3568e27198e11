"""Ceilings, what was spent of them, and what is held for requests in flight; may be shared by several runs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from planner.core import Unit

_ROUNDING = 1e-9
"""A budget of three times a tenth is three tenths."""


class Ledger:
    """One account of ceilings that are sums (all but latency). Used by the tasks of one event loop."""

    def __init__(self, ceilings: Mapping[Unit, float]) -> None:
        """`ceilings` by unit; units that are not named have none."""
        self.ceilings: dict[Unit, float] = {u: c for u, c in ceilings.items() if u != "latency_seconds"}
        self.used: dict[Unit, float] = dict.fromkeys(self.ceilings, 0.0)
        self._held: dict[Unit, float] = dict.fromkeys(self.ceilings, 0.0)
        self._n_held = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def in_flight(self) -> int:
        """Requests that something is held for."""
        return self._n_held

    def room(self, unit: Unit, *, held: bool = True) -> float:
        """What is left under a ceiling (infinite without one), less what is held unless told otherwise."""
        if unit not in self.ceilings:
            return math.inf
        ceiling = self.ceilings[unit]
        return ceiling * (1 + _ROUNDING) - self.used[unit] - (self._held[unit] if held and self._n_held else 0.0)

    def hold(self, most: Mapping[Unit, float]) -> None:
        """Keep so much for a request."""
        self._n_held += 1
        for unit in self.ceilings:
            self._held[unit] += most[unit]

    def settle(self, most: Mapping[Unit, float], spent: Mapping[Unit, float]) -> None:
        """Take a hold back, and count what was spent instead."""
        self._n_held -= 1
        for unit in self.ceilings:
            self._held[unit] = self._held[unit] - most[unit] if self._n_held else 0.0
            self.used[unit] += spent[unit]
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def changed(self) -> None:
        """Wait until something settles."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
