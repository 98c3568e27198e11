"""What a completion's text is: what goes on from the prefix, up to the first stop text."""

from __future__ import annotations

from collections.abc import Sequence

from planner.core import Generate

ECHO_CHARACTERS = 20
"""A completion that begins with so much of its prefix says it again."""


def own_text(text: str, request: Generate, *, stop_sent: bool) -> tuple[str, bool]:
    """A completion without the prefix said again and without what a stop text ends; and whether one did."""
    if len(request.prefix) >= ECHO_CHARACTERS:
        text = text.removeprefix(request.prefix)
    if not stop_sent and request.prefix.endswith(request.stop):
        text = _past(text, request.stop)
    return cut(text, request.stop)


def met_stop(text: str, request: Generate) -> bool:
    """Whether a completion that is still being written has met a stop text of its own."""
    return not request.prefix.startswith(text) and own_text(text, request, stop_sent=False)[1]


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop text, and whether there was one."""
    places = [place for place in (text.find(stop) for stop in stops if stop) if place >= 0]
    return (text[: min(places)], True) if places else (text, False)


def restarted(text: str, prefix: str) -> bool:
    """Whether a completion begins the answer anew rather than going on from its prefix."""
    same = 0
    for own, before in zip(text.lstrip(), prefix.lstrip(), strict=False):
        if own != before:
            break
        same += 1
    return ECHO_CHARACTERS <= same < len(prefix.lstrip())


def _past(text: str, stops: Sequence[str]) -> str:
    """The text after stop texts that it begins with: a template that trimmed the prefix has them written again."""
    while stop := next((stop for stop in stops if stop and text.startswith(stop)), None):
        text = text.removeprefix(stop)
    return text
