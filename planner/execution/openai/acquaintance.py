from __future__ import annotations

from dataclasses import dataclass, field

from planner.execution.openai.payloads import Payload
from planner.execution.openai.tokens import TokenEstimate

_SURE_OF_CONTINUATION = 8
"""Completions that went on from their prefix, after which a server is taken to do so."""


@dataclass
class Acquaintance:
    """What one process has seen of a model at a server: how long its tokens are, and what it has borne.

    A member that it has borne is not suspected any more, whatever a later refusal says.
    """

    estimate: TokenEstimate = field(default_factory=TokenEstimate)
    _borne: set[str] = field(default_factory=set)
    _most_asked: int = 1
    _continued: int = 0

    def unproven(self, sent: Payload) -> frozenset[str]:
        """The members of a request that the server may not bear."""
        more = sent.body.get("n", 1) > self._most_asked
        return frozenset(name for name in sent.members if (more if name == "n" else name not in self._borne))

    def take_in(self, sent: Payload, n_choices: int) -> None:
        """Learn from a request that gave so many choices."""
        self._borne |= sent.members - {"final_message"}
        if n_choices >= sent.body.get("n", 1):
            self._most_asked = max(self._most_asked, n_choices)
        if "final_message" in sent.members:
            self._continued += n_choices
        if self._continued >= _SURE_OF_CONTINUATION:
            self._borne.add("final_message")
