"""Words, numbers and signs of a prompt as narrow integer codes, many prompts at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from planner.texts.tokens import beginning, is_word, split, tokens_of

UNKNOWN = 0
N_SHAPES = 9
FIRST_WORD = 1 + N_SHAPES
MOST_CHUNKS, LONGEST_CHUNK = 65_536, 32
"""How many chunks of texts are kept with their codes, and of how many characters."""


@dataclass(frozen=True)
class TokenTable:
    """Known tokens; code 0 is an unknown word, 1 to 9 an unknown number of so many digits, then the tokens in order.

    codes_of: of the tokens of whatever stands between two blanks.
    """

    tokens: tuple[str, ...]
    code: dict[str, int] = field(init=False, repr=False, compare=False)
    codes_of: Mapping[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", {token: FIRST_WORD + i for i, token in enumerate(self.tokens)})
        object.__setattr__(self, "codes_of", _Chunks(self.code))

    def __len__(self) -> int:
        return FIRST_WORD + len(self.tokens)

    @classmethod
    def fit(cls, texts: Sequence[str], *, least_prompts: int = 2, most_tokens: int = 20_000) -> TokenTable:
        """Tokens that stand in at least `least_prompts` texts, the most frequent ones where there are too many."""
        prompts = Counter(chain.from_iterable(set(split(text)) for text in texts))
        known = sorted((-count, token) for token, count in prompts.items() if count >= least_prompts)
        return cls(tuple(sorted(token for _, token in known[:most_tokens])))

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Codes of all tokens of all texts one after the other, and the number of tokens of each text."""
        codes_of = self.codes_of.__getitem__
        by_text = [list(chain.from_iterable(map(codes_of, beginning(text).split()))) for text in texts]
        lengths = np.array([len(codes) for codes in by_text], dtype=np.int64)
        return np.array(list(chain.from_iterable(by_text)), dtype=np.int64), lengths

    def digits(self) -> NDArray[np.float32]:
        """log10(1 + value) of the number that a code stands for, 0 for words and signs; (n_codes,)."""
        shapes = np.arange(1, N_SHAPES + 1, dtype=np.float32) - 0.5
        known = [
            np.log10(1.0 + float(token)) if token.isdecimal() and token.isascii() else 0.0 for token in self.tokens
        ]
        return np.concatenate([[0.0], shapes, np.minimum(known, N_SHAPES)]).astype(np.float32)

    def is_word(self) -> NDArray[np.bool_]:
        """Whether a code stands for a known word, not for a number or a sign; (n_codes,)."""
        known = [is_word(token) for token in self.tokens]
        return np.concatenate([np.zeros(FIRST_WORD, np.bool_), np.array(known, dtype=np.bool_)])


class _Chunks(dict[str, tuple[int, ...]]):
    """Codes of what stands between two blanks, kept for the next text: most of one was met in others before."""

    def __init__(self, code: Mapping[str, int]) -> None:
        super().__init__()
        self._code = code

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        codes = tuple([self._code.get(token) or _shape(token) for token in tokens_of(chunk)])
        if len(chunk) <= LONGEST_CHUNK:
            if len(self) >= MOST_CHUNKS:
                self.clear()
            self[chunk] = codes
        return codes


def _shape(token: str) -> int:
    return min(len(token), N_SHAPES) if token.isdecimal() else UNKNOWN
