from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class Streamed:
    """Puts together an answer that comes in pieces (server-sent events), and tells when no more of it is wanted.

    n: choices that were asked for. met: whether a choice's text so far is all that is wanted of it.
    """

    def __init__(self, n: int, met: Callable[[str], bool]) -> None:
        self._n = n
        self._met = met
        self._rest = b""
        self._texts: dict[int, str | None] = {}
        self._ends: dict[int, dict[str, Any]] = {}
        self._usage: Any = None
        self._error: Any = None

    def feed(self, data: bytes) -> bool:
        """Take in some bytes; True where the answer is complete, or no more of it is wanted."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.strip())
        # The usage comes after the end of every choice: only texts that were met are not waited for.
        return self._error is not None or sum(self._met(text or "") for text in self._texts.values()) >= self._n

    @property
    def is_whole(self) -> bool:
        """Whether every choice that was asked for has come to its end, whatever may still follow."""
        return self._error is None and len(self._ends) >= self._n

    @property
    def data(self) -> dict[str, Any]:
        """The answer in the form that servers give at once."""
        if self._error is not None and not self._texts:
            return {"error": self._error}
        choices = [
            {"message": {"content": text}, **(self._ends.get(place) or self._unfinished(text))}
            for place, text in sorted(self._texts.items())
        ]
        return {"choices": choices, "usage": self._usage}

    def _unfinished(self, text: str | None) -> dict[str, Any]:
        return {"finish_reason": "stop" if self._met(text or "") else "error"}

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        try:
            event = json.loads(line[5:])
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        self._usage = event.get("usage") or self._usage
        self._error = event.get("error") or self._error
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._add(choice)

    def _add(self, choice: dict[str, Any]) -> None:
        index = choice.get("index")
        place = index if isinstance(index, int) else 0
        delta = choice.get("delta")
        piece = delta.get("content") if isinstance(delta, dict) else choice.get("text")
        before = self._texts.setdefault(place, None)
        if isinstance(piece, str):
            self._texts[place] = (before or "") + piece
        if choice.get("finish_reason"):
            self._ends[place] = {name: choice[name] for name in ("finish_reason", "stop_reason") if name in choice}
