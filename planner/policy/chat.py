"""Prompts as callers give them: text, chat messages, or a mapping with what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.core.arguments import check_text, listed
from planner.errors import InvalidInput
from planner.policy.prompt import PromptInput

if TYPE_CHECKING:
    from planner.core import Probe

Prompt = str | Sequence[Mapping[str, Any]]
Described = Prompt | Mapping[str, Any]
"""A prompt, or a mapping of it with what is known: {prompt, prompt_id?, dataset?, metadata?, probes?}."""
_MEMBERS = {"prompt", "prompt_id", "dataset", "metadata", "probes"}


NOTHING: tuple[Any, ...] = (None, [], {}, "")
"""Values with which a member asks for nothing."""
_OF_A_MESSAGE = frozenset({"role", "content"})


def prompt_text(prompt: object) -> str:
    """Text of a prompt given as text or as chat messages `{role, content}`; raises InvalidInput for anything else.

    What is planned is known by its text alone: messages that hold more would be taken for others, and lose it.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InvalidInput("the prompt is empty")
        return prompt
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes) or not prompt:
        raise InvalidInput("expected text or chat messages [{role, content}, ...]")
    if (found := unplannable(prompt)) is not None:
        raise InvalidInput(
            f"{found}: a chat can be planned for where its messages are `role` and `content` alone, with text or parts "
            "with `text`, and none is a tool's; leave the rest out, or send the chat to a model's own server"
        )
    return chat_text(prompt)


def chat_text(messages: Sequence[object]) -> str:
    """Text of chat messages, whatever else they hold; raises InvalidInput where one has no content, or none a text."""
    return prompt_text("\n\n".join(_content(message) for message in messages))


def unplannable(messages: Sequence[object]) -> str | None:
    """The first member of chat messages that a planned answer could not keep, as `messages[1].role`; None without."""
    for place, message in enumerate(messages):
        if not isinstance(message, Mapping):
            return f"messages[{place}]"
        if (found := _unplannable_member(message)) is not None:
            return f"messages[{place}].{found}"
    return None


def prompt_input(prompt: Described | PromptInput) -> PromptInput:
    """A prompt as the policy takes it; a mapping is {prompt, prompt_id?, dataset?, metadata?, probes?}."""
    if isinstance(prompt, PromptInput):
        return prompt
    if not isinstance(prompt, Mapping):
        return PromptInput(prompt_text(prompt))
    unknown = prompt.keys() - _MEMBERS
    if unknown:
        raise InvalidInput(f"a prompt has no member {min(unknown)!r}; there are {', '.join(sorted(_MEMBERS))}")
    return described(**{"prompt": None, **prompt})


def described(
    prompt: object,
    prompt_id: str | None = None,
    dataset: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    probes: Sequence[Probe] | None = None,
) -> PromptInput:
    """A prompt with what is known of it; raises InvalidInput, naming the member, for what cannot be read."""
    text = prompt_text(prompt)
    check_text("prompt_id", prompt_id)
    check_text("dataset", dataset)
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InvalidInput(f"metadata: expected a mapping from names to values, got {metadata!r:.200}")
    drawn: tuple[Probe, ...] = ()
    if probes is not None and not (isinstance(probes, tuple) and not probes):
        from planner.core.run import Probe  # noqa: PLC0415 - seldom

        drawn = listed("probes", probes, Probe, "Probe(answer='24')")
    return PromptInput(text, prompt_id, dataset, metadata or {}, drawn)


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence) and all(isinstance(part, Mapping) for part in content):
        return "\n".join(str(part["text"]) for part in content if isinstance(part.get("text"), str))
    raise InvalidInput("a chat message needs `content`: text, or parts with `text`")


def _unplannable_member(message: Mapping[str, Any]) -> str | None:
    if message.get("role") in {"tool", "function"}:
        return "role"
    for name, value in message.items():
        if name not in _OF_A_MESSAGE and value not in NOTHING:
            return name
    content = message.get("content")
    if isinstance(content, str):
        return None
    parts = content if isinstance(content, Sequence) else ()
    return None if parts and all(_is_text(part) for part in parts) else "content"


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type", "text") == "text" and isinstance(part.get("text"), str)
