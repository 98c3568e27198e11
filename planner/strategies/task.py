"""What a strategy is given: the prompt, and how to read and to speak to its models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from planner.core import Conventions, Message, ModelCard

CONTEXT_ATTEMPTS = 4
"""Latest attempts that a reviser sees, where its model card says nothing (Snell et al. 2024)."""


@dataclass(frozen=True)
class Task:
    """One prompt to be answered.

    extract: from the text of a finished candidate to a comparable answer; None where it gives none.
    answered: whether a text that goes no further is a finished answer; asked where a server does not tell
    the end of an answer from a stop text.
    """

    messages: tuple[Message, ...]
    extract: Callable[[str], str | None]
    answered: Callable[[str], bool]
    seed: int = 0
    cards: Mapping[str, ModelCard] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)

    def context_attempts(self, generator: str) -> int:
        """Latest attempts that this generator is shown when it revises."""
        card = self.cards.get(generator)
        known = None if card is None else card.revision_context_attempts
        return CONTEXT_ATTEMPTS if known is None else known

    def revision(self, generator: str, attempts: tuple[str, ...]) -> tuple[Message, ...]:
        """The conversation that asks for a next attempt after these, oldest first."""
        shown = attempts[len(attempts) - min(len(attempts), self.context_attempts(generator)) :]
        again = Message("user", self.conventions.revision_instruction)
        return (*self.messages, *(message for text in shown for message in (Message("assistant", text), again)))

    def seed_of(self, *place: int | str) -> int:
        """A seed for one request, always the same for the task's seed and the request's place in the search."""
        digest = hashlib.blake2b(repr((self.seed, *place)).encode(), digest_size=4).digest()
        return int.from_bytes(digest, "little") >> 1
