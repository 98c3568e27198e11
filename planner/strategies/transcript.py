"""What was asked and answered in a run, so that it can be stored, and carried out again without any model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from planner.core import Reply
from planner.errors import InvalidInput
from planner.strategies.pool import Interrupted, Replies, Requests

T = TypeVar("T")


@dataclass(frozen=True)
class Exchange:
    """One step: requests with their replies, or with why the run was interrupted there."""

    requests: Requests
    replies: tuple[Reply, ...] | None = None
    interrupted: str | None = None


@dataclass
class Transcript:
    """Steps of a run, in order."""

    exchanges: list[Exchange] = field(default_factory=list)

    def to_plain(self) -> list[Any]:
        """Lists, objects and scalars, as JSON has them."""
        plain: list[Any] = _exchanges().dump_python(self.exchanges, mode="json")
        return plain

    @classmethod
    def from_plain(cls, plain: object) -> Transcript:
        """The transcript of `to_plain`; raises InvalidInput where it is none."""
        try:
            return cls(_exchanges().validate_python(plain))
        except ValidationError as error:
            raise InvalidInput(f"this is no transcript of a run: {error}") from error


def recorded(steps: Generator[Requests, Replies, T], transcript: Transcript) -> Generator[Requests, Replies, T]:
    """The same generator; what goes through it is written to `transcript`, interruptions too."""
    try:
        requests = next(steps)
        while True:
            try:
                replies = yield requests
            except Interrupted as stop:
                transcript.exchanges.append(Exchange(requests, interrupted=str(stop)))
                requests = steps.throw(stop)
            else:
                transcript.exchanges.append(Exchange(requests, tuple(replies)))
                requests = steps.send(replies)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # the value of a StopIteration has no type
    finally:
        steps.close()


def replay(steps: Generator[Requests, Replies, T], transcript: Transcript) -> T:
    """What the generator returns when it is answered as it was then.

    Raises InvalidInput where it asks for something else than the transcript holds, or for more, or for less.
    """
    place = 0
    try:
        requests = next(steps)
        for place, exchange in enumerate(transcript.exchanges, start=1):
            if requests != exchange.requests:
                raise InvalidInput(
                    f"step {place} asks for {requests}, but the transcript holds {exchange.requests}: "
                    "it was recorded for another arm, task or version"
                )
            if exchange.replies is None:
                requests = steps.throw(Interrupted(exchange.interrupted or ""))
            else:
                requests = steps.send(exchange.replies)
    except StopIteration as end:
        if place < len(transcript.exchanges):
            raise InvalidInput(
                f"the run ends after {place} of the transcript's {len(transcript.exchanges)} steps: "
                "it was recorded for another arm, task or version"
            ) from None
        return end.value  # type: ignore[no-any-return]  # the value of a StopIteration has no type
    finally:
        steps.close()
    raise InvalidInput(f"the transcript ends after {place} steps, and the run goes on: it was cut off")


@cache
def _exchanges() -> TypeAdapter[list[Exchange]]:
    return TypeAdapter(list[Exchange])
