"""What clients send: OpenAI's bodies, as far as these models can follow them."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.lab.chat import MAX_TOKENS

# Members that change the answer and that these models do not bear, with the value at which they change nothing.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "best_of": (None, 1),
    "echo": (None, False),
    "frequency_penalty": (None, 0),
    "function_call": (None, "none"),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "min_p": (None, 0),
    "presence_penalty": (None, 0),
    "response_format": (None, {"type": "text"}),
    "suffix": (None, ""),
    "tool_choice": (None, "none", "auto"),
    "tools": (None, []),
    "top_k": (None, -1, 0),
    "top_p": (None, 1),
}


class Body(BaseModel):
    """A request's body; members that are not named here are let be, as other servers do."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    model: str

    @model_validator(mode="before")
    @classmethod
    def _supported(cls, data: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(data, dict):
            raise ValueError("the body must be a JSON object")  # noqa: TRY004 - pydantic's way to say so
        for name, harmless in _UNSUPPORTED.items():
            if name in data and data[name] not in harmless:
                raise ValueError(f"the lab's models know no {name!r}: leave it out")
        return data


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    include_usage: bool = False


class Sampling(Body):
    """What both kinds of completions take."""

    n: int = Field(default=1, ge=1, le=1024)
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None

    @property
    def limit(self) -> int:
        """Most tokens of one completion."""
        return MAX_TOKENS if self.max_tokens is None else self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop texts."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatMessage(BaseModel):
    """One message; its content is text or a list of text parts."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[dict[str, Any]]


class ChatBody(Sampling):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    continue_final_message: bool = False
    add_generation_prompt: bool | None = None

    @property
    def limit(self) -> int:
        """Most tokens of one completion."""
        return super().limit if self.max_completion_tokens is None else self.max_completion_tokens

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.continue_final_message and self.messages[-1].role != "assistant":
            raise ValueError("continue_final_message goes on from an assistant's message: let it be the last")
        if self.continue_final_message and self.add_generation_prompt:
            raise ValueError("continue_final_message goes with add_generation_prompt false")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs goes with logprobs true")
        return self


class TextBody(Sampling):
    """POST /v1/completions; a prompt is text, in which `<bos>` and `<eos>` are tokens, or tokens."""

    prompt: str | list[int] | list[str] | list[list[int]]
    logprobs: int | None = Field(default=None, ge=0, le=20)

    @property
    def prompts(self) -> list[str | list[int]]:
        """Each prompt."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        tokens = [token for token in self.prompt if isinstance(token, int)]
        return [tokens] if tokens else [prompt for prompt in self.prompt if not isinstance(prompt, int)]


class ScoreBody(Body):
    """POST /v1/score: answers to one prompt or conversation, whose steps are scored."""

    prompt: str | None = None
    messages: list[ChatMessage] | None = Field(default=None, min_length=1)
    completions: list[str] = Field(max_length=4096)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        return self
