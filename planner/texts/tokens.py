"""Words, numbers and signs of a text."""

from __future__ import annotations

import re

MAX_CHARACTERS = 20_000
_TOKEN = re.compile(r"\w+|[^\w\s]")


def split(text: str) -> list[str]:
    """Tokens of a text in lower case: words (digits within them kept), numbers, single signs.

    Only the first `MAX_CHARACTERS` are read: a prompt of megabytes says no more of its kind than its beginning.
    """
    return tokens_of(beginning(text))


def beginning(text: str) -> str:
    """What is read of a text, in lower case."""
    return text[:MAX_CHARACTERS].lower()


def tokens_of(part: str) -> list[str]:
    """Tokens of a part of a text in lower case that begins and ends where blanks do: none of them crosses a blank."""
    return _TOKEN.findall(part)


def is_word(token: str) -> bool:
    """Whether a token is a word, not a number or a sign."""
    return not token.isdecimal() and (token[0].isalpha() or token[0] == "_")
