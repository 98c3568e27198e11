"""A search held to what the client wants of every completion; what it comes to is kept for the response."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from planner.core import Arm, Completion, Generate, Request, Sample
from planner.execution.openai.tokens import TokenEstimate, text_bytes
from planner.execution.session import SEARCH, session_arm
from planner.service.gateway.request import Limits
from planner.strategies.pool import Interrupted, Replies, Requests, Result

Searching = Generator[Requests, Replies, Result]


@dataclass
class Found:
    """What a search came to; None until it is over. filtered: a server's rules kept an answer back."""

    result: Result | None = None
    filtered: bool = False

    @property
    def chosen(self) -> Sample | None:
        """The candidate that was chosen."""
        if self.result is None or self.result.chosen is None:
            return None
        return self.result.samples[self.result.chosen]


def limited(search: Searching, limits: Limits, found: Found) -> Searching:
    """The search, its requests within the limits; the result is kept in `found` too.

    An answer that is written step by step is held to the client's tokens as a whole, as far as its tokens can be told.
    """
    estimate = TokenEstimate(seen_tokens=1, seen_bytes=4)
    try:
        requests = next(search)
        while True:
            try:
                replies = yield tuple(_within(request, limits, estimate) for request in requests)
            except Interrupted as stop:
                requests = search.throw(stop)
            else:
                said = [one for part in replies for one in part if isinstance(one, Completion)]
                found.filtered |= any(one.filtered for one in said)
                for one in said:
                    if one.completion_tokens is not None and one.text:
                        estimate.learn(text_bytes(one.text), one.completion_tokens)
                requests = search.send(replies)
    except StopIteration as end:
        result: Result = end.value
    finally:
        search.close()
    found.result = result
    return result


def told(search: Searching, limits: Limits) -> Searching:
    """The search, its result told with the limits that it was held to."""
    result = yield from search
    return replace(result, arm=_carried_out(result, limits))


def _carried_out(result: Result, limits: Limits) -> Arm:
    """What the run is logged as: the client's settings make samples of another pool, or none of any pool at all."""
    arm = result.arm
    own = {"temperature": limits.temperature, "max_tokens": limits.max_tokens}
    given = {name: value for name, value in own.items() if value is not None}
    if arm.search == SEARCH or not (given or limits.stop):
        return arm
    if arm.search == "sampling" and not limits.stop and "settings" not in arm.params:
        return arm.model_copy(update={"params": {**arm.params, **given}})
    return session_arm(arm, result.samples, probes=0)


def _within(request: Request, limits: Limits, estimate: TokenEstimate) -> Request:
    if not isinstance(request, Generate):
        return request
    most = request.max_tokens
    if limits.max_tokens is not None:
        # One token more tells a search that its answer is cut off.
        left = max(1, limits.max_tokens - estimate.tokens(text_bytes(request.prefix)))
        most = min(left, most or left)
    return replace(
        request,
        max_tokens=most,
        temperature=request.temperature if limits.temperature is None else limits.temperature,
        # A step search ends steps by stop texts of its own: its answer is cut when it is whole.
        stop=request.stop or limits.stop,
        ends_answer=bool(limits.stop) and not request.stop,
    )
