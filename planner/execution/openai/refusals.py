"""Refusals of what is asked, not of how: no other way to ask would change them, and who asked has to be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.execution.openai.answer import Answer

TOO_LONG, AGAINST_RULES = "context_length_exceeded", "content_filter"
_TOO_LARGE, _INVALID = "request_too_large", "invalid_value"
ADVICE: Mapping[str, str] = {
    TOO_LONG: "shorten the prompt, or ask for fewer tokens",
    AGAINST_RULES: "the server's rules forbid this prompt",
    _TOO_LARGE: "shorten the prompt",
    _INVALID: "correct the messages",
}
"""By the reason, as OpenAI's API names it."""
_PAYLOAD_TOO_LARGE = 413
_STATUSES = frozenset({400, _PAYLOAD_TOO_LARGE, 422})
_NAMES: Mapping[str, str] = {
    "context_length_exceeded": TOO_LONG,
    "exceed_context_size_error": TOO_LONG,
    "string_above_max_length": TOO_LONG,
    "content_filter": AGAINST_RULES,
    "content_policy_violation": AGAINST_RULES,
    "invalid_prompt": AGAINST_RULES,
}
# As OpenAI, Azure, vLLM, SGLang, llama.cpp, TGI, Anthropic, Gemini, Mistral, Groq, LM Studio and Cohere say it.
_TOO_LONG_IN_WORDS = re.compile(
    r"context (length|window|size|limit)|maximum model length|reduce the length|prompt is too long|too many tokens"
    r"|input token(s| count).{0,40} exceed|`inputs` (must have less than|tokens \+)"
    r"|max_(completion_)?tokens\W{0,2} is too large",
    re.IGNORECASE,
)
_MESSAGES = re.compile(r"messages\b")


def refused_for(answer: Answer) -> str | None:
    """Why a server refuses what it is asked, in whatever way it is asked; None where that is not so."""
    if answer.status not in _STATUSES:
        return None
    error = _error(answer.data)
    named = next((_NAMES[name] for name in _texts(error, "code", "type") if name in _NAMES), None)
    if named is None and _TOO_LONG_IN_WORDS.search(words_of(answer)):
        return TOO_LONG
    return named or (_TOO_LARGE if answer.status == _PAYLOAD_TOO_LARGE else None)


def about_messages(answer: Answer) -> str | None:
    """The same where a refusal names the conversation, for which a message of the planner's own may be the reason."""
    params = _texts(_error(answer.data), "param") if answer.status in _STATUSES else ()
    return _INVALID if any(map(_MESSAGES.match, params)) else None


def words_of(answer: Answer) -> str:
    """What a refusal says for people. Beside it some say the prompt again, which may hold any words."""
    error = _error(answer.data)
    return "\n".join(_texts(error, "message", "error", "detail"))


def _error(data: Any) -> Mapping[str, Any]:  # noqa: ANN401 - what a server sends may be anything
    if not isinstance(data, dict):
        return {}
    inner = data.get("error")
    return inner if isinstance(inner, dict) else data


def _texts(error: Mapping[str, Any], *names: str) -> list[str]:
    return [error[name] for name in names if isinstance(error.get(name), str)]
