"""Rows of a flat table that were left out, and the runs that are no longer whole without them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

RUN_KEY = ("prompt_id", "generator", "verifier", "run_id", "params")
_RUN_ID = RUN_KEY.index("run_id")

Key = tuple[int, ...]
"""Codes of the columns of `RUN_KEY`, -1 for null."""


@dataclass
class LostRows:
    """Keys of rows that were left out.

    A run without run_id is known by the hash of its rows: without some of them it would be another run, and come again
    as a whole when the table has been mended. A run that bears its id is known by that, whatever is missing.
    """

    n_unplaced: int = 0
    """Rows that do not even tell their prompt."""
    _keys: set[Key] = field(default_factory=set)
    _nearly: set[Key] = field(default_factory=set)  # prompt and generator, where the rest of the key is bad

    def add(self, keys: Iterable[Key], unsure: Iterable[bool]) -> None:
        """Note rows by their keys; `unsure` says that a part of the key itself is bad, which leaves it null."""
        for key, vague in zip(keys, unsure, strict=True):
            if key[_RUN_ID] >= 0:
                continue
            if key[0] < 0:
                self.n_unplaced += 1
            elif vague:
                self._nearly.add(key[:2])
            else:
                self._keys.add(key)

    def __bool__(self) -> bool:
        return bool(self._keys or self._nearly)

    def touch(self, key: Key) -> bool:
        """Whether the run of that key has no run_id and has lost a row, or may have."""
        if key[_RUN_ID] >= 0:
            return False
        return key in self._keys or key[:2] in self._nearly or (key[0], -1) in self._nearly
