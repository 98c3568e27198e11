"""The words of the laboratory's language: a small reader of its `tokenizer.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3


class Tokenizer:
    """Words, single digits, signs and line ends, each with the blank before it; what else there is reads `<unk>`.

    Special tokens are written by the chat template alone: "<eos>" in a text is read as its signs.
    """

    def __init__(self, text: str) -> None:
        document = json.loads(text)
        self._pattern = re.compile(document["pre_tokenizer"]["pattern"]["Regex"])
        self._ids: dict[str, int] = document["model"]["vocab"]
        self._words: list[str] = [word for word, _ in sorted(self._ids.items(), key=lambda item: item[1])]
        special = {token["id"] for token in document["added_tokens"]}
        self.texts = tuple("" if i in special else word for i, word in enumerate(self._words))
        """Text of each token; "" of a special one."""
        self.newline = self._ids["\n"]

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without a beginning or an end."""
        return [self._ids.get(word, UNKNOWN) for word in self._pattern.findall(text)]

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of tokens; special ones leave nothing."""
        return "".join([self.texts[token] for token in tokens])

    def name(self, token: int) -> str:
        """How a token is shown by itself, special ones too."""
        return self._words[token]


@cache
def tokenizer() -> Tokenizer:
    """The one that all of the laboratory's models share."""
    return Tokenizer((files("planner.lab") / "weights" / "tokenizer.json").read_text("utf-8"))
