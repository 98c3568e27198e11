"""Counting tokens: a chain of steps is read once, however often it goes on.

A prompt counts once a sample, also where several samples share it, as servers bill it. An answer that goes on from a
beginning that was written or read before as a beginning counts only what is new.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

_KEPT = 200_000
_BEGUN = "begun"
_READ = "read"

Tokens = tuple[int, ...]


class Chains:
    """Beginnings of answers that are known, the latest 200,000 of them."""

    def __init__(self, newline: int) -> None:
        self._newline = newline
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def cached(self, model: str, prompt: Tokens, prefix: Tokens) -> int:
        """Tokens that a generator need not read again before it goes on from the prefix of an answer."""
        if not prefix:
            return 0
        self._add(_BEGUN, prompt + prefix)
        return self._longest(model, prompt, prefix, (len(prefix), *self._line_ends(prefix)))

    def wrote(self, model: str, tokens: Tokens) -> None:
        """Note what a generator has in its memory."""
        self._add(model, tokens)

    def read(self, prompt: Tokens, answers: Sequence[Tokens]) -> list[int]:
        """Tokens that a verifier reads for each answer, less those of its beginning that it has read."""
        counts = [
            len(prompt) + len(answer) - self._longest(_READ, prompt, answer, self._line_ends(answer[:-1]))
            for answer in answers
        ]
        for answer in answers:
            unfinished = answer[-1:] == (self._newline,)
            for end in self._line_ends(answer):
                # A finished answer's lines are a beginning only if somebody goes on from them.
                if unfinished or self._knows(_BEGUN, prompt + answer[:end]):
                    self._add(_READ, prompt + answer[:end])
        return counts

    def _longest(self, scope: str, prompt: Tokens, answer: Tokens, ends: Sequence[int]) -> int:
        return max((len(prompt) + end for end in ends if self._knows(scope, prompt + answer[:end])), default=0)

    def _line_ends(self, answer: Tokens) -> tuple[int, ...]:
        return tuple(place + 1 for place, token in enumerate(answer) if token == self._newline)

    def _add(self, scope: str, tokens: Tokens) -> None:
        key = _digest(scope, tokens)
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def _knows(self, scope: str, tokens: Tokens) -> bool:
        return _digest(scope, tokens) in self._known


def _digest(scope: str, tokens: Tokens) -> bytes:
    return hashlib.blake2b(scope.encode() + np.array(tokens, np.int16).tobytes(), digest_size=16).digest()
