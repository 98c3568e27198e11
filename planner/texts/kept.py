"""What a store gives for a prompt's text: the text, or what is kept of one that is not to be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from planner.texts.sketch import VERSION, is_readable


@dataclass(frozen=True)
class HashedText:
    """Stands for a text that is not stored: its SHA-256 (hex), and its sketch where one was made."""

    sha256: str
    sketch: bytes | None = None

    @property
    def is_readable(self) -> bool:
        """Whether there is a sketch that this planner reads."""
        return self.sketch is not None and is_readable(self.sketch)


Text = str | HashedText | None


def sha256_of(text: str | HashedText) -> str:
    """SHA-256 of the text in UTF-8, in hex."""
    if isinstance(text, HashedText):
        return text.sha256
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def equal_texts(texts: Sequence[Text]) -> list[str | None]:
    """Names that are equal for equal texts: the text, or a hash where nobody has it; None for what is not known."""
    hashed = {text.sha256 for text in texts if isinstance(text, HashedText)}
    told = {digest: text for text in texts if hashed and isinstance(text, str) if (digest := sha256_of(text)) in hashed}
    return [told.get(text.sha256, f"\1{text.sha256}") if isinstance(text, HashedText) else text for text in texts]


def what_cannot_be_read(texts: Sequence[Text]) -> tuple[str, ...]:
    """In words, which prompts a fit has to take as prompts without text, and what to do."""
    unread = [text for text in texts if isinstance(text, HashedText) and not text.is_readable]
    n_bare = sum(text.sketch is None for text in unread)
    found = (
        (len(unread) - n_bare, f"a sketch of another version than this planner's ({VERSION}), and no text"),
        (n_bare, "neither text nor sketch: an older planner logged them"),
    )
    return tuple(
        f"{n:,} of {len(texts):,} prompts have {what}; their difficulty cannot be learned: "
        "import their logs again, which adds their sketches or texts"
        for n, what in found
        if n
    )
