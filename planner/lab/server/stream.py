"""Server-sent events: each choice's text as it is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from planner.lab.server.desk import Asked, Desk
from planner.lab.server.forms import Form, Json
from planner.lab.stops import Stops


async def events(desk: Desk, asked: Asked, form: Form, *, with_usage: bool) -> AsyncIterator[str]:
    """The events of one request. What is being written is given up where nobody reads them any more."""
    loop = asyncio.get_running_loop()
    tokens: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

    def tell(choice: int, token: int) -> None:
        loop.call_soon_threadsafe(tokens.put_nowait, (choice, token))

    work = asyncio.ensure_future(desk.write(asked, tell))
    work.add_done_callback(lambda _: tokens.put_nowait(None))
    texts = [_Text(Stops(desk.tokenizer, order.stop)) for order in asked.orders for _ in range(order.n)]
    try:
        for index in range(len(texts)):
            first = form.first_piece(index)
            if first is not None:
                yield _event(first)
        while (told := await tokens.get()) is not None:
            index, token = told
            if new := texts[index].after(token):
                yield _event(form.piece(index, new))
        written, usage = await work
        for index, (text, one) in enumerate(zip(texts, written, strict=True)):
            if len(one.text) > text.sent:
                yield _event(form.piece(index, one.text[text.sent :]))
            yield _event(form.last_piece(index, one))
        if with_usage:
            yield _event(form.usage_piece(usage))
        yield "data: [DONE]\n\n"
    finally:
        work.cancel()


def _event(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"


class _Text:
    """What of a choice may be sent: nothing that may turn out to be the beginning of a stop text."""

    def __init__(self, stops: Stops) -> None:
        self.sent = 0
        self._stops = stops
        self._held = max((len(text) - 1 for text in stops.texts), default=0)
        self._tokens: list[int] = []

    def after(self, token: int) -> str:
        """More text that is certain after one more token."""
        self._tokens.append(token)
        text, stop = self._stops.cut(self._tokens)
        certain = len(text) if stop is not None else len(text) - self._held
        new = text[self.sent : max(certain, self.sent)]
        self.sent += len(new)
        return new
