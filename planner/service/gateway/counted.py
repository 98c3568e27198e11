"""What an answer that was passed through took: as its server says, else estimated from what was read and written."""

from __future__ import annotations

import json
from typing import Any

from planner.core import Message
from planner.execution.openai.parsing import Usage, read_choices, read_usage
from planner.execution.openai.tokens import TokenEstimate, prompt_bytes, text_bytes
from planner.execution.prices import Counts
from planner.service.gateway.request import Ask

_BESIDE_TEXT = ("tool_calls", "function_call", "reasoning_content", "reasoning", "refusal")
_MARKS = tuple(f'"{name}"'.encode() for name in _BESIDE_TEXT)
_OF_A_CALL = frozenset({"name", "arguments"})


class Beside:
    """Bytes that a model wrote beside its answer's text: calls of tools, reasoning that is shown, refusals."""

    def __init__(self) -> None:
        self.size = 0
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Some bytes of a stream of events."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            # Most events hold text alone, and are not read twice.
            if line.startswith(b"data:") and any(mark in line for mark in _MARKS):
                try:
                    self.add(json.loads(line[5:]))
                except (ValueError, RecursionError):
                    continue

    def add(self, data: Any) -> None:  # noqa: ANN401 - what a server sends may be anything
        """An event, or a whole answer."""
        choices = data.get("choices") if isinstance(data, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            said = (choice.get("delta") or choice.get("message")) if isinstance(choice, dict) else None
            if isinstance(said, dict):
                self.size += max(_written(said.get("reasoning_content")), _written(said.get("reasoning")))
                self.size += sum(_written(said.get(name)) for name in ("tool_calls", "function_call", "refusal"))


def counted(data: Any, beside: int, ask: Ask, n: int, estimate: TokenEstimate) -> Counts:  # noqa: ANN401
    """The tokens of an answer of which so much is known; `estimate` learns from what the server says.

    data: in the form that servers give at once. beside: bytes beside its texts. Where nothing came, what the server
    does not say is unknown.
    """
    usage, texts = read_usage(data), [choice.text or "" for choice in read_choices(data)]
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    written = sum(map(text_bytes, texts)) + beside
    messages, tools = _read(ask)
    _learn(usage, None if ask.untouched else prompt_bytes(messages, tools), written, estimate)
    if texts:
        prompt = estimate.prompt_tokens(messages, tools) if prompt is None else prompt
        completion = estimate.tokens(written) if completion is None else completion
    return Counts(
        generations=float(n), prompt=prompt, billed_prompt=prompt, cached=usage.cached_tokens, completion=completion
    )


def _learn(usage: Usage, read: int | None, written: int, estimate: TokenEstimate) -> None:
    """Of prompts that are texts alone, and of answers without reasoning, of which more or less may be shown."""
    if usage.prompt_tokens is not None and read:
        estimate.learn(read, usage.prompt_tokens)
    if usage.completion_tokens is not None and written and not usage.reasoning_tokens:
        estimate.learn(written, usage.completion_tokens)


def _read(ask: Ask) -> tuple[list[Message], str]:
    messages = [Message(str(one.get("role", "user")), one.get("content")) for one in ask.raw["messages"]]
    tools = ask.raw.get("tools") or ask.raw.get("functions")
    return messages, json.dumps(tools, ensure_ascii=False) if tools else ""


def _written(said: Any) -> int:  # noqa: ANN401
    """Size of the texts in it; of a call only the name and the arguments are the model's words."""
    if isinstance(said, str):
        return text_bytes(said)
    if isinstance(said, list):
        return sum(map(_written, said))
    if not isinstance(said, dict):
        return 0
    own = {name: value for name, value in said.items() if name in _OF_A_CALL and isinstance(value, str)}
    return sum(map(text_bytes, own.values())) + _written(said.get("function"))
