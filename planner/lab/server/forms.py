"""What clients are sent: OpenAI's objects, made of what was written."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.lab.decoding import TokenLogprob, Written
from planner.lab.tokenizer import EOS, Tokenizer

Json = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """One of the two kinds of completions: how its objects and choices look."""

    tokenizer: Tokenizer
    model: str
    chat: bool
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, written: Sequence[Written], usage: Json) -> Json:
        """The reply to a request that is not streamed."""
        return {
            **self._head("chat.completion"),
            "choices": [self._choice(index, one) for index, one in enumerate(written)],
            "usage": usage,
        }

    def first_piece(self, index: int) -> Json | None:
        """What a choice's stream begins with; nothing for texts."""
        return self._piece(index, {"delta": {"role": "assistant", "content": ""}}) if self.chat else None

    def piece(self, index: int, text: str) -> Json:
        """More text of a choice."""
        return self._piece(index, {"delta": {"content": text}} if self.chat else {"text": text})

    def last_piece(self, index: int, written: Written) -> Json:
        """The end of a choice; all its log-probabilities come with it."""
        ending: Json = {"delta": {}} if self.chat else {"text": ""}
        return self._piece(index, {**ending, **self._ending(written)})

    def usage_piece(self, usage: Json) -> Json:
        """The end of a stream that is to tell its usage."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage}

    def _head(self, kind: str) -> Json:
        prefix, name = ("chatcmpl", kind) if self.chat else ("cmpl", "text_completion")
        return {"id": f"{prefix}-{self.id}", "object": name, "created": self.created, "model": self.model}

    def _piece(self, index: int, content: Json) -> Json:
        choice = {"index": index, "finish_reason": None, "logprobs": None, **content}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _choice(self, index: int, written: Written) -> Json:
        message = {"role": "assistant", "content": written.text, "refusal": None}
        content = {"message": message} if self.chat else {"text": written.text}
        return {"index": index, **content, **self._ending(written)}

    def _ending(self, written: Written) -> Json:
        told = None if written.logprobs is None else self._visible(written)
        form = self._chat_logprobs if self.chat else self._text_logprobs
        return {
            "logprobs": None if told is None else form(told),
            "finish_reason": written.finish,
            "stop_reason": written.stop,
        }

    def _visible(self, written: Written) -> list[TokenLogprob]:
        """Of the tokens that the text consists of: neither `<eos>` nor those of a stop text."""
        assert written.logprobs is not None
        kept, length = [], 0
        for told in written.logprobs:
            length += len(self.tokenizer.texts[told.token])
            if told.token == EOS or length > len(written.text):
                break
            kept.append(told)
        return kept

    def _chat_logprobs(self, told: list[TokenLogprob]) -> Json:
        def entry(token: int, logprob: float) -> Json:
            name = self.tokenizer.name(token)
            return {"token": name, "logprob": logprob, "bytes": list(name.encode())}

        content = [{**entry(t.token, t.logprob), "top_logprobs": [entry(*pair) for pair in t.top]} for t in told]
        return {"content": content, "refusal": None}

    def _text_logprobs(self, told: list[TokenLogprob]) -> Json:
        names = [self.tokenizer.name(t.token) for t in told]
        offsets, length = [], 0
        for name in names:
            offsets.append(length)
            length += len(name)
        return {
            "tokens": names,
            "token_logprobs": [t.logprob for t in told],
            "top_logprobs": [
                {self.tokenizer.name(token): logprob for token, logprob in ((t.token, t.logprob), *t.top)} for t in told
            ],
            "text_offset": offsets,
        }


def usage(prompt_tokens: int, completion_tokens: int, cached_tokens: int) -> Json:
    """Tokens of a request: a prompt counts once, whatever `n`; cached ones are among those of the prompt."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }
