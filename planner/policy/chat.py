"""Prompts as callers give them: text, chat messages, or a mapping with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.errors import InvalidInput
from planner.policy.prompt import PromptInput

Prompt = str | Sequence[Mapping[str, Any]]
Described = Prompt | Mapping[str, Any]
"""A prompt, or a mapping of it with what is known: {prompt, prompt_id?, dataset?, metadata?, probes?}."""
_MEMBERS = {"prompt", "prompt_id", "dataset", "metadata", "probes"}


def prompt_text(prompt: object) -> str:
    """Text of a prompt given as text or as chat messages `{role, content}`; raises InvalidInput for anything else."""
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InvalidInput("the prompt is empty")
        return prompt
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes) or not prompt:
        raise InvalidInput("expected text or chat messages [{role, content}, ...]")
    return prompt_text("\n\n".join(_content(message) for message in prompt))


def prompt_input(prompt: Described | PromptInput) -> PromptInput:
    """A prompt as the policy takes it; a mapping is {prompt, prompt_id?, dataset?, metadata?, probes?}."""
    if isinstance(prompt, PromptInput):
        return prompt
    if not isinstance(prompt, Mapping):
        return PromptInput(prompt_text(prompt))
    unknown = prompt.keys() - _MEMBERS
    if unknown:
        raise InvalidInput(f"a prompt has no member {min(unknown)!r}; there are {', '.join(sorted(_MEMBERS))}")
    return PromptInput(
        prompt_text(prompt.get("prompt")),
        prompt.get("prompt_id"),
        prompt.get("dataset"),
        prompt.get("metadata") or {},
        tuple(prompt.get("probes") or ()),
    )


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence) and all(isinstance(part, Mapping) for part in content):
        return "\n".join(str(part["text"]) for part in content if isinstance(part.get("text"), str))
    raise InvalidInput("a chat message needs `content`: text, or parts with `text`")
