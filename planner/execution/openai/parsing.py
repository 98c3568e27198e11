"""What a server's JSON says: choices and usage, whatever else stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Finish = Literal["stop", "length", "error"]

_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
FILTERED = frozenset({"content_filter", "safety"})
_ERROR = FILTERED | {"error", "tool_calls", "function_call", "abort", "cancelled"}
_MOST_TOKENS = 10**9


@dataclass(frozen=True)
class Choice:
    """One choice of an answer.

    text: None where the server gave none. ended: True where the model ended it, False where a stop text or the limit
    did, None where the server does not say. said: its finish reason in lower case, empty where it gave none.
    """

    text: str | None
    finish: Finish = "stop"
    ended: bool | None = None
    said: str = ""


@dataclass(frozen=True)
class Usage:
    """Tokens of one request as they are billed; None is unknown.

    completion_tokens hold reasoning_tokens, also where the server counts them apart.
    """

    prompt_tokens: int | None = None
    cached_tokens: int = 0
    completion_tokens: int | None = None
    reasoning_tokens: int = 0


def read_choices(data: Any) -> list[Choice]:  # noqa: ANN401 - what a server sends may be anything
    """The choices of a chat completion or completion, in order; what is no choice is passed over."""
    choices = data.get("choices") if isinstance(data, dict) else None
    return [_choice(choice) for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def read_usage(data: Any) -> Usage:  # noqa: ANN401
    """Token counts of an answer. A count of 0, below 0, or that is no whole number is unknown.

    Reasoning tokens are added where the server's total, or their own number, shows that it leaves them out.
    """
    usage = data.get("usage") if isinstance(data, dict) else None
    if not isinstance(usage, dict):
        return Usage()
    prompt = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    completion = _count(usage, "completion_tokens") or _count(usage, "output_tokens")
    reasoning = _details(usage, "completion", "reasoning_tokens") or 0
    if reasoning and _leaves_out(prompt, completion, reasoning, _count(usage, "total_tokens")):
        completion = (completion or 0) + reasoning
    cached = _details(usage, "prompt", "cached_tokens") or _count(usage, "prompt_cache_hit_tokens") or 0
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=min(cached, prompt or 0),
        completion_tokens=completion,
        reasoning_tokens=min(reasoning, completion or 0),
    )


def _leaves_out(prompt: int | None, completion: int | None, reasoning: int, total: int | None) -> bool:
    if completion is None or reasoning > completion:
        return True
    return total is not None and total == (prompt or 0) + completion + reasoning


def _count(usage: dict[str, Any], name: str) -> int | None:
    value = usage.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value <= _MOST_TOKENS and value == int(value) else None


def _details(usage: dict[str, Any], side: str, name: str) -> int | None:
    for key in (f"{side}_tokens_details", {"prompt": "input", "completion": "output"}[side] + "_tokens_details"):
        details = usage.get(key)
        if isinstance(details, dict) and (count := _count(details, name)) is not None:
            return count
    return None


def _choice(choice: dict[str, Any]) -> Choice:
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else choice.get("text")
    reason = choice.get("finish_reason")
    said = reason.lower() if isinstance(reason, str) else ""
    text = _text(content)
    if said in _ERROR:
        return Choice(text, "error", said=said)
    if said in _LENGTH:
        return Choice(text, "length", ended=False, said=said)
    return Choice(text, "stop", _ended(choice, said), said)


def _ended(choice: dict[str, Any], reason: str) -> bool | None:
    """By the stop_reason of vLLM: the stop text met, or null or a token's id where the model ended."""
    if reason == "stop_sequence":
        return False
    if "stop_reason" not in choice or not reason:
        return None
    return not isinstance(choice["stop_reason"], str)


def _text(content: Any) -> str | None:  # noqa: ANN401
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))
