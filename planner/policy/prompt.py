"""A prompt that a recommendation is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.curves.logs import Floats
from planner.texts.kept import HashedText, sha256_of

if TYPE_CHECKING:
    from planner.core import Probe


@dataclass(frozen=True)
class PromptInput:
    """One prompt: its text, what is known of it, and samples already drawn for it.

    hashed: what is kept of a logged prompt whose text, here empty, is not stored.
    """

    text: str
    prompt_id: str | None = None
    dataset: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    probes: tuple[Probe, ...] = ()
    hashed: HashedText | None = None

    @property
    def id(self) -> str:
        """The given id, else the SHA-256 of the text, as at import."""
        return self.prompt_id or self.digest

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return sha256_of(self.hashed or self.text)

    def draw(self, seed: int) -> float:
        """A number in 0..1 that looks random but is always the same for this prompt and seed."""
        text = self.text if self.hashed is None else self.hashed.sha256
        digest = hashlib.blake2b(f"{seed}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2**64


def draws(prompts: Sequence[PromptInput] | None, seed: int, rows: NDArray[np.intp]) -> Floats:
    """A number in 0..1 for each of the rows, by a hash of prompt and seed where the prompts are known."""
    if prompts is None:
        return np.random.default_rng(seed).random(len(rows), dtype=np.float32)
    return np.array([prompts[row].draw(seed) for row in rows.tolist()], dtype=np.float32)
