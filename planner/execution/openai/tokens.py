from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planner.core import Message

_PRIOR_TOKENS = 100
_PRIOR_BYTES = 400
_TOKENS_A_MESSAGE = 4
"""What chat templates put around a message (OpenAI's cookbook: 3 to 4)."""


@dataclass
class TokenEstimate:
    """Tokens of a text by its UTF-8 bytes: four a token, sharpened by every usage that the server did tell.

    Bytes rather than characters, since a letter outside of Latin scripts takes two to four of them and about as
    many tokens more. The start counts as 100 tokens seen; the share is kept for prompts and completions together.
    """

    seen_tokens: int = _PRIOR_TOKENS
    seen_bytes: int = _PRIOR_BYTES

    def learn(self, size_bytes: int, tokens: int) -> None:
        """Take in a count that the server told for texts of that size."""
        self.seen_tokens += tokens
        self.seen_bytes += size_bytes

    def tokens(self, size_bytes: int) -> int:
        """Estimated tokens of a text of that size; at least 1 for any text."""
        return -(-size_bytes * self.seen_tokens // self.seen_bytes)

    def prompt_tokens(self, messages: Sequence[Message], prefix: str) -> int:
        """Estimated tokens of a conversation."""
        return self.tokens(prompt_bytes(messages, prefix)) + _TOKENS_A_MESSAGE * len(messages)


def text_bytes(text: str) -> int:
    """Size of a text in UTF-8."""
    return len(text.encode("utf-8", "replace"))


def prompt_bytes(messages: Sequence[Message], prefix: str) -> int:
    """Size of a conversation's texts in UTF-8; parts that are no text count nothing."""
    return sum(text_bytes(plain_text(message.content)) for message in messages) + text_bytes(prefix)


def plain_text(content: Any) -> str:  # noqa: ANN401 - as the caller gave it
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""
