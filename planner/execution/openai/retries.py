from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses after which another try may succeed."""


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Waits between tries: exponential with full jitter, and at least as long as the server asked for.

    tries: of one request in all. throttled_tries: where the server only asks for patience (429).
    timeouts: tries that may end in a timeout, since each may be billed.
    longest_wait_seconds: a server that asks for more is given up at once.
    Source: Brooker 2015, "Exponential Backoff And Jitter".
    """

    tries: int = 6
    throttled_tries: int = 10
    timeouts: int = 2
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    longest_wait_seconds: float = 60.0

    def wait_seconds(self, failures: int, asked_seconds: float | None, rng: random.Random) -> float:
        """Seconds to wait after so many failures."""
        jittered = rng.uniform(0.0, min(self.cap_seconds, self.base_seconds * 2.0 ** (failures - 1)))
        return jittered if asked_seconds is None else asked_seconds + min(jittered, 1.0)


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, given in seconds or as a date; None where it says nothing usable."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except (ValueError, TypeError):
            return None
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return max(seconds, 0.0) if seconds == seconds and abs(seconds) != float("inf") else None  # noqa: PLR0124 - NaN
