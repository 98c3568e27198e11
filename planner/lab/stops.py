"""Stop texts: a table of tokens that hold one, and a look at the text for those that may span several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.lab.tokenizer import EOS, Tokenizer


class Stops:
    """What ends a completion beside `<eos>`. A stop text of one character lies within one token."""

    def __init__(self, tokenizer: Tokenizer, texts: tuple[str, ...]) -> None:
        self.texts = tuple(text for text in texts if text)
        self._tokenizer = tokenizer
        short = [text for text in self.texts if len(text) == 1]
        self.tokens: NDArray[np.bool_] = np.array([any(s in word for s in short) for word in tokenizer.texts])
        self.tokens[EOS] = True
        self.spans = any(len(text) > 1 for text in self.texts)

    def cut(self, tokens: list[int]) -> tuple[str, str | None]:
        """Text before the first stop text, and that stop text; None where none has come."""
        text = self._tokenizer.decode(tokens)
        found = [(place, stop) for stop in self.texts if (place := text.find(stop)) >= 0]
        if not found:
            return text, None
        place, stop = min(found, key=lambda pair: (pair[0], -len(pair[1])))
        return text[:place], stop
