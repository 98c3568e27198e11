from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered to one request.

    seconds: time of the try that it answered. abandoned: tries before it that were given up on, which the server may
    have gone on with. assembled: what a streamed body comes to.
    """

    status: int
    body: bytes = b""
    content_type: str | None = None
    location: str | None = None
    retry_after_seconds: float | None = None
    seconds: float = 0.0
    abandoned: int = 0
    assembled: dict[str, Any] | None = None

    @classmethod
    def of(cls, status: int, body: bytes, **rest: Any) -> Answer:  # noqa: ANN401 - the other fields
        """The answer as it came; some gateways answer 200 with an error inside, which then has its own status."""
        answer = cls(status=status, body=body, **rest)
        error = answer.data.get("error") if answer.good and "choices" not in answer.data else None
        if not error:
            return answer
        code = error.get("code") if isinstance(error, dict) else None
        inner = code if isinstance(code, int) and 400 <= code < 600 else 502
        return cls(status=inner, body=body, **rest)

    @cached_property
    def data(self) -> Any:  # noqa: ANN401 - what a server sends may be anything
        """The body as JSON; None where it is none."""
        if self.assembled is not None:
            return self.assembled
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def good(self) -> bool:
        """Whether it is a success with JSON of some members."""
        return 200 <= self.status < 300 and isinstance(self.data, dict)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")
