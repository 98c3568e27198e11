"""What only one model's own server can do: requests with it are passed through as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.policy.chat import NOTHING, unplannable

# Members that go with one call of one model, and the values with which they ask for nothing.
_MEMBERS: Mapping[str, tuple[Any, ...]] = {
    "tools": NOTHING,
    "tool_choice": (*NOTHING, "none", "auto"),
    "functions": NOTHING,
    "function_call": (*NOTHING, "none", "auto"),
    "response_format": (*NOTHING, {"type": "text"}),
    "modalities": (*NOTHING, ["text"]),
    "audio": NOTHING,
    "prediction": NOTHING,
    "web_search_options": (None,),
}


def untouched_because(body: Mapping[str, Any]) -> str | None:
    """The first member of a request that a planned answer could not keep; None where all can be planned."""
    for name, nothing in _MEMBERS.items():
        if name in body and body[name] not in nothing:
            return name
    return unplannable(body["messages"])
