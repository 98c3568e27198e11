"""From a conversation to the tokens that a model reads, as the laboratory's chat template has it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.core import Message
from planner.errors import EndpointRejected, RequestRefused
from planner.lab.llama import MAX_POSITIONS
from planner.lab.tokenizer import BOS, EOS, Tokenizer

MAX_TOKENS = 130
"""Of one completion where a request does not say, as in the laboratory's logs; right answers have fewer."""
_FINISHED = re.compile(r"Answer: \d+$")


def conversation_tokens(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Tokens of a conversation: `<bos>`, an assistant's turn ended by `<eos>`, any other by a line end."""
    tokens = [BOS]
    for message in messages:
        tokens += tokenizer.encode(message_text(message))
        tokens.append(EOS if message.role == "assistant" else tokenizer.newline)
    return tokens


def fit(tokens: tuple[int, ...]) -> tuple[int, ...]:
    """The same tokens. Raises RequestRefused where nothing could be written after them."""
    if len(tokens) >= MAX_POSITIONS:
        raise RequestRefused(
            f"the lab's models read at most {MAX_POSITIONS} tokens, prompt and answer; here are {len(tokens)}: "
            "shorten the prompt",
            code="context_length_exceeded",
        )
    return tokens


def answer_tokens(tokenizer: Tokenizer, answer: str) -> tuple[int, ...]:
    """Tokens of an answer to be scored; a finished one, told by its last line, ends with `<eos>`."""
    tokens = tokenizer.encode(answer)
    return (*tokens, EOS) if _FINISHED.search(answer) else tuple(tokens)


def message_text(message: Message) -> str:
    """Text of a message, whose content may be a list of text parts. Raises EndpointRejected for other parts."""
    if isinstance(message.content, str):
        return message.content
    if isinstance(message.content, Sequence):
        texts = [part.get("text") if isinstance(part, dict) else None for part in message.content]
        if all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    raise EndpointRejected("the lab's models read text only: give each message's content as text or text parts")
