"""A sketch: what is kept of a prompt whose text is not to be stored, enough to predict its difficulty from.

It holds: how often a word of each of 4,096 classes occurs, and a sign or number of each of 256, without their order;
the number of tokens and of numbers, the mean and greatest magnitude of the numbers in tenths of a digit; the number
of characters of each of eleven classes, and of all. A word's class is 12 bits of a hash, which many words share: of
100,000 words some 24. Numbers of more than three digits are known by their length alone.

What can be inferred all the same: that a word is not in the text, where its class is empty, and with some odds that
it is, where it is not; that a text is of some kind or subject; and by whoever has the very text, or can guess it
whole, that it was asked (the SHA-256 beside the sketch says so by itself). The text cannot be read out of it, but a
short one made of few likely words can be guessed and the guess be checked. Who must not keep even that deletes the
sketches (`UPDATE prompts SET sketch = NULL`), and difficulty is then learned from other prompts alone.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.texts.characters import CLASSES, character_counts
from planner.texts.tokens import is_word, split

VERSION = 1
"""Raised with any change of what a sketch holds: a fit reads those of its own version alone."""
WORD_CLASSES = 4096
N_TERMS = WORD_CLASSES + 256
"""Classes of words, then those of signs and numbers."""
_PLAIN_DIGITS = 3
_MOST_DIGITS = 9
_MOST_COUNT = 255
_HEAD = np.dtype(
    [
        ("version", "u1"), ("n_characters", "<u4"), ("n_tokens", "<u2"), ("n_numbers", "<u2"),
        ("mean_magnitude", "u1"), ("greatest_magnitude", "u1"), ("characters", "<u2", (len(CLASSES),)),
    ]
)  # fmt: skip
_PACK = struct.Struct(f"<BIHHBB{len(CLASSES)}H")
_ENTRY_BYTES = 3


@dataclass(frozen=True)
class Sketches:
    """Sketches of P prompts as columns.

    row, term, count: (K,) how often a term occurs in which prompt, by rising row and term. characters: (P, classes).
    The others: (P,); magnitudes are log10(1 + value), at most 9.
    """

    row: NDArray[np.int64]
    term: NDArray[np.int64]
    count: NDArray[np.int64]
    n_characters: NDArray[Any]
    n_tokens: NDArray[Any]
    n_numbers: NDArray[Any]
    mean_magnitude: NDArray[Any]
    greatest_magnitude: NDArray[Any]
    characters: NDArray[Any]

    def __len__(self) -> int:
        return len(self.n_tokens)


def sketch(text: str) -> bytes:
    """The sketch of a text: its version, numbers, then the terms that occur (two bytes each) and how often (one)."""
    tokens = split(text)
    counts = Counter(map(_term, tokens))
    terms = sorted(counts)
    magnitudes = [_magnitude(token) for token in tokens if token.isdecimal()]
    head = _PACK.pack(
        VERSION,
        min(len(text), 2**32 - 1),
        len(tokens),
        len(magnitudes),
        round(10 * sum(magnitudes) / max(len(magnitudes), 1)),
        round(10 * max(magnitudes, default=0)),
        *character_counts([text])[0].tolist(),
    )
    return head + struct.pack(f"<{len(terms)}H", *terms) + bytes([min(counts[term], _MOST_COUNT) for term in terms])


def is_current(data: bytes) -> bool:
    """Whether a sketch, or its first byte, is of our version."""
    return data[:1] == bytes([VERSION])


def is_readable(data: bytes) -> bool:
    """Whether a sketch is whole and of our version."""
    return is_current(data) and len(data) >= _PACK.size and not (len(data) - _PACK.size) % _ENTRY_BYTES


def read_sketches(sketches: Sequence[bytes]) -> Sketches:
    """Columns of readable sketches."""
    size = _PACK.size
    head = np.frombuffer(b"".join([data[:size] for data in sketches]), dtype=_HEAD)
    lengths = [(len(data) - size) // _ENTRY_BYTES for data in sketches]
    terms = b"".join([data[size : size + 2 * n] for data, n in zip(sketches, lengths, strict=True)])
    counts = b"".join([data[size + 2 * n :] for data, n in zip(sketches, lengths, strict=True)])
    return Sketches(
        row=np.repeat(np.arange(len(sketches)), lengths),
        term=np.frombuffer(terms, dtype="<u2").astype(np.int64),
        count=np.frombuffer(counts, dtype=np.uint8).astype(np.int64),
        n_characters=head["n_characters"],
        n_tokens=head["n_tokens"],
        n_numbers=head["n_numbers"],
        mean_magnitude=head["mean_magnitude"] / 10.0,
        greatest_magnitude=head["greatest_magnitude"] / 10.0,
        characters=head["characters"],
    )


@lru_cache(maxsize=2**15)
def _term(token: str) -> int:
    if token.isdecimal() and len(token) > _PLAIN_DIGITS:
        token = f"a number of {min(len(token), _MOST_DIGITS)} digits"
        return WORD_CLASSES + _hash(token) % (N_TERMS - WORD_CLASSES)
    if is_word(token):
        return _hash(token) % WORD_CLASSES
    return WORD_CLASSES + _hash(token) % (N_TERMS - WORD_CLASSES)


def _hash(token: str) -> int:
    return int.from_bytes(blake2b(token.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "little")


@lru_cache(maxsize=2**12)
def _magnitude(number: str) -> float:
    if len(number) >= _MOST_DIGITS or not number.isascii():
        return min(len(number), _MOST_DIGITS)
    return log10(1.0 + float(number))
