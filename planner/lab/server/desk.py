"""From a client's body to what the models are asked for, and back to what they wrote."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from planner.core import Message
from planner.lab.chains import Chains, Tokens
from planner.lab.chat import answer_tokens, conversation_tokens, fit, message_text
from planner.lab.decoding import Written
from planner.lab.engine import GENERATORS, VERIFIER, Engine, Order
from planner.lab.server.bodies import ChatBody, ChatMessage, Sampling, ScoreBody, TextBody
from planner.lab.server.complaints import Refused
from planner.lab.server.forms import Json, usage
from planner.lab.tokenizer import BOS, EOS

_TEMPERATURE = 1.0  # what OpenAI's interface says where a request does not
_SPECIAL = {"<bos>": BOS, "<eos>": EOS}


@dataclass(frozen=True)
class Asked:
    """Orders of one request, one a prompt, and the tokens of their prompts that are known already."""

    orders: tuple[Order, ...]
    cached_tokens: int


class Desk:
    """Takes requests for the engine; counts tokens as LabEndpoint does, but a prompt once a request."""

    def __init__(self, engine: Engine) -> None:
        self.tokenizer = engine.tokenizer
        self._engine = engine
        self._chains = Chains(engine.tokenizer.newline)

    def chat(self, body: ChatBody) -> Asked:
        """The order of a chat completion. Raises Refused or EndpointRejected."""
        messages = _messages(body.messages)
        prefix = message_text(messages.pop()) if body.continue_final_message else ""
        prompt = tuple(conversation_tokens(self.tokenizer, messages))
        top = (body.top_logprobs or 0) if body.logprobs else None
        return self._asked(body, [(prompt, tuple(self.tokenizer.encode(prefix)))], top)

    def text(self, body: TextBody) -> Asked:
        """The orders of a completion, one a prompt. Raises Refused or EndpointRejected."""
        prompts = [self._prompt(prompt) for prompt in body.prompts]
        if not prompts:
            raise Refused("prompt: give one at least", param="prompt")
        # All but the first line may go on from what was written before.
        lines = [next((i + 1 for i, t in enumerate(prompt) if t == self.tokenizer.newline), 0) for prompt in prompts]
        halves = [(prompt[:end], prompt[end:]) for prompt, end in zip(prompts, lines, strict=True)]
        return self._asked(body, halves, body.logprobs)

    async def write(
        self, asked: Asked, on_token: Callable[[int, int], None] | None = None
    ) -> tuple[list[Written], Json]:
        """What was written, in the order of the choices, and its usage. `on_token`: (choice, token)."""
        orders = [_listened(order, i * order.n, on_token) for i, order in enumerate(asked.orders)]
        written: list[Written] = []
        for order, texts in zip(orders, await asyncio.gather(*map(self._engine.write, orders)), strict=True):
            for text in texts:
                self._chains.wrote(order.model, order.tokens + text.tokens)
            written += texts
        prompt_tokens = sum(len(order.tokens) for order in orders)
        return written, usage(prompt_tokens, sum(len(text.tokens) for text in written), asked.cached_tokens)

    async def score(self, body: ScoreBody) -> Json:
        """Scores of the steps of each answer. Raises Refused or EndpointRejected."""
        if body.model != VERIFIER:
            raise _unknown(body.model, (VERIFIER,))
        messages = _messages(body.messages) if body.messages else [Message("user", body.prompt)]
        prompt = tuple(conversation_tokens(self.tokenizer, messages))
        answers = [answer_tokens(self.tokenizer, answer) for answer in body.completions]
        for answer in answers:
            fit(prompt + answer)
        everything = sum(len(prompt) + len(answer) for answer in answers)
        cached = everything - sum(self._chains.read(prompt, answers))
        scores = await self._engine.score([(prompt, answer) for answer in answers])
        return {"object": "list", "model": body.model, "scores": scores, "usage": usage(everything, 0, cached)}

    def _asked(self, body: Sampling, prompts: Sequence[tuple[Tokens, Tokens]], top_logprobs: int | None) -> Asked:
        if body.model not in GENERATORS:
            raise _unknown(body.model, GENERATORS)
        seed = secrets.randbits(63) if body.seed is None else body.seed
        orders = tuple(
            Order(
                model=body.model,
                tokens=fit(prompt + prefix),
                n=body.n,
                seed=seed,
                temperature=_TEMPERATURE if body.temperature is None else body.temperature,
                max_tokens=body.limit,
                stop=body.stops,
                top_logprobs=top_logprobs,
            )
            for prompt, prefix in prompts
        )
        return Asked(orders, sum(self._chains.cached(body.model, prompt, prefix) for prompt, prefix in prompts))

    def _prompt(self, prompt: str | list[int]) -> Tokens:
        if not isinstance(prompt, str):
            if not all(0 <= token < len(self.tokenizer.texts) for token in prompt) or not prompt:
                raise Refused(f"prompt: tokens are 0 to {len(self.tokenizer.texts) - 1}", param="prompt")
            return tuple(prompt)
        tokens: list[int] = []
        for piece in re.split(r"(<bos>|<eos>)", prompt):
            tokens += [_SPECIAL[piece]] if piece in _SPECIAL else self.tokenizer.encode(piece)
        return tuple(tokens) if tokens[:1] == [BOS] else (BOS, *tokens)


def _messages(messages: Sequence[ChatMessage]) -> list[Message]:
    return [Message(message.role, message.content) for message in messages]


def _listened(order: Order, first: int, on_token: Callable[[int, int], None] | None) -> Order:
    if on_token is None:
        return order
    return replace(order, on_token=lambda sample, token: on_token(first + sample, token))


def _unknown(model: str, known: Sequence[str] | dict[str, str]) -> Refused:
    return Refused(
        f"there is no model {model!r} for this: name one of {', '.join(known)}",
        status=404,
        param="model",
        code="model_not_found",
    )
