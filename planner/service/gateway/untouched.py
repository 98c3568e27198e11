"""What only one model's own server can do: requests with it are passed through as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOTHING: tuple[Any, ...] = (None, [], {}, "")
# Members that go with one call of one model, and the values with which they ask for nothing.
_MEMBERS: Mapping[str, tuple[Any, ...]] = {
    "tools": _NOTHING,
    "tool_choice": (*_NOTHING, "none", "auto"),
    "functions": _NOTHING,
    "function_call": (*_NOTHING, "none", "auto"),
    "response_format": (*_NOTHING, {"type": "text"}),
    "modalities": (*_NOTHING, ["text"]),
    "audio": _NOTHING,
    "prediction": _NOTHING,
    "web_search_options": (None,),
}
_OF_A_MESSAGE = frozenset({"role", "content"})


def untouched_because(body: Mapping[str, Any]) -> str | None:
    """The first member of a request that a planned answer could not keep; None where all can be planned."""
    for name, nothing in _MEMBERS.items():
        if name in body and body[name] not in nothing:
            return name
    for place, message in enumerate(body["messages"]):
        if (found := _of_message(message)) is not None:
            return f"messages[{place}].{found}"
    return None


def _of_message(message: Mapping[str, Any]) -> str | None:
    if message.get("role") in {"tool", "function"}:
        return "role"
    for name, value in message.items():
        if name not in _OF_A_MESSAGE and value not in _NOTHING:
            return name
    content = message.get("content")
    if isinstance(content, str):
        return None
    parts = content if isinstance(content, list) else []
    return None if parts and all(_is_text(part) for part in parts) else "content"


def _is_text(part: Mapping[str, Any]) -> bool:
    return part.get("type", "text") == "text" and isinstance(part.get("text"), str)
