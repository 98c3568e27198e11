"""The JSON body of a request, as the server's capabilities have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from planner.core import Conventions, Generate, Message
from planner.execution.openai.capabilities import Capabilities
from planner.execution.openai.tokens import plain_text

Flatten = Callable[[Sequence[Message], str], str]
"""From a conversation and the answer's prefix to one prompt for the completions route."""

_NEARLY_GREEDY = 0.01
GO_ON = "Go on with your last message exactly where it stops. Do not repeat any of it, and do not comment on it."


@dataclass(frozen=True)
class Payload:
    """Route and body of a request; `members` are those that a server may not bear."""

    path: str
    body: dict[str, Any]
    members: frozenset[str]


def flat_prompt(messages: Sequence[Message], prefix: str) -> str:
    """Contents a line each, then the prefix: fits base models, and templates that add nothing else."""
    return "".join(plain_text(message.content) + "\n" for message in messages) + prefix


def payload(
    request: Generate, n: int, seed: int | None, known: Capabilities, conventions: Conventions, flatten: Flatten
) -> Payload:
    """The request for `n` completions, spoken as the server takes it."""
    body: dict[str, Any] = {"model": request.generator, **(conventions.body or {})}
    path, members = _conversation(body, request, known, flatten)
    temperature = _temperature(request, known, conventions)
    max_tokens = conventions.max_tokens if request.max_tokens is None else request.max_tokens
    takes_stop = bool(request.stop) and known.stop and (known.stop_after_prefix or not request.prefix)
    wanted = {
        "n": n if n > 1 else None,
        "stop": list(request.stop) if takes_stop else None,
        "stream": True if request.stop and not takes_stop and known.stream else None,
        "seed": seed if known.seed else None,
        "temperature": temperature,
        known.limit if path == "/chat/completions" else "max_tokens": max_tokens,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    greedy = {"greedy"} if temperature == 0 else set[str]()
    return Payload(path, {**body, **given}, (members | given.keys() | greedy) - ({"temperature"} if greedy else set()))


def _temperature(request: Generate, known: Capabilities, conventions: Conventions) -> float | None:
    wanted = conventions.temperature if request.temperature is None else request.temperature
    if wanted is None or not known.temperature:
        return None
    return wanted if wanted > 0 or known.greedy else _NEARLY_GREEDY


def _conversation(
    body: dict[str, Any], request: Generate, known: Capabilities, flatten: Flatten
) -> tuple[str, frozenset[str]]:
    """Write the conversation into the body; the route, and how it goes on from a prefix."""
    if not known.chat or (request.prefix and known.continuation == "completions"):
        body["prompt"] = flatten(request.messages, request.prefix)
        return "/completions", frozenset({"completions"} if known.chat else ())
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    body["messages"] = messages
    if not request.prefix:
        return "/chat/completions", frozenset({"chat"})
    messages.append({"role": "assistant", "content": request.prefix})
    if known.continuation == "instruction":
        messages.append({"role": "user", "content": GO_ON})
        return "/chat/completions", frozenset({"chat"})
    body |= {"continue_final_message": True, "add_generation_prompt": False}
    return "/chat/completions", frozenset({"chat", "final_message"})
