"""How many characters of each class a text has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.texts.tokens import MAX_CHARACTERS

CLASSES = (
    "lower",
    "upper",
    "digit",
    "space",
    "newline",
    "mathematics",
    "bracket",
    "quote",
    "question",
    "stop",
    "other",
)


def _class_table() -> bytes:
    table = np.full(256, CLASSES.index("other"), dtype=np.uint8)
    groups = {
        "lower": "abcdefghijklmnopqrstuvwxyz", "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "digit": "0123456789",
        "space": " \t\r", "newline": "\n", "mathematics": "\\$^+-*/=<>%|", "bracket": "()[]{}",
        "quote": "\"'`", "question": "?", "stop": ".,;:!",
    }  # fmt: skip
    for name, characters in groups.items():
        table[np.frombuffer(characters.encode(), np.uint8)] = CLASSES.index(name)
    return table.tobytes()


CLASS_OF_BYTE = _class_table()


def character_counts(texts: Sequence[str]) -> NDArray[np.integer[Any]]:
    """Characters of each class among the first `MAX_CHARACTERS` of each text; (P, classes)."""
    data = [text[:MAX_CHARACTERS].encode("latin-1", "replace") for text in texts]
    classes = np.frombuffer(b"".join(data).translate(CLASS_OF_BYTE), dtype=np.uint8)
    cells = len(texts) * len(CLASSES)
    if len(texts) > 1:
        classes = classes + np.repeat(np.arange(0, cells, len(CLASSES)), [len(part) for part in data])
    return np.bincount(classes, minlength=cells).reshape(len(texts), len(CLASSES))
