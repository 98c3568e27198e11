"""What a strategy asks of the world, and what comes back: requests and replies, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `content` is text, or parts as the caller gave them."""

    role: str
    content: Any


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask a generator for `n` completions of a conversation.

    prefix: answer so far, which every completion goes on from ("" begins the answer).
    stop: texts at which a completion ends; they are not part of it. ends_answer: they end the whole answer, not a step.
    temperature, max_tokens: None leaves them to the endpoint.
    generations: what the request counts in the budget's unit (a finished candidate counts one, wherever it is
    charged; a later step of a chain that was charged at its first step counts 0).
    """

    generator: str
    messages: tuple[Message, ...]
    n: int = 1
    prefix: str = ""
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    generations: float = 1.0
    ends_answer: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion: its text goes on from the request's prefix and holds no stop text.

    finish: "stop" (ended, or met a stop text), "length" (cut off), "error" (nothing came back).
    ended: True where the model ended its answer, False where a stop text ended the completion, None where the
    server does not tell them apart.
    prompt_tokens: read for this completion, billed or not; cached_tokens of them were not processed again.
    billed_prompt_tokens: this completion's share of the prompt tokens on the bill. A request for several completions
    is billed one prompt, which its first completion bears; None: as many as were read.
    completion_tokens: written, reasoning included. None is unknown; `estimated` says that counts are estimates.
    abandoned: completions of tries that were given up on before this one came; their server may have written them, and
    bill them, and none of its counts says so.
    filtered: nothing came back since the server's rules forbid it.
    """

    text: str
    finish: Literal["stop", "length", "error"] = "stop"
    ended: bool | None = None
    prompt_tokens: int | None = None
    cached_tokens: int = 0
    completion_tokens: int | None = None
    latency_seconds: float | None = None
    estimated: bool = False
    billed_prompt_tokens: int | None = None
    abandoned: int = 0
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask a verifier for a score of each candidate answer to a conversation.

    A candidate that ends with the step separator is not finished: its steps so far are scored.
    """

    verifier: str
    messages: tuple[Message, ...]
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Score (0..1) of one candidate, of its last step where the verifier scores steps; None where it failed.

    tokens: read (and, by a judge, written), less what was cached; None is unknown. written: those of them that a judge
    wrote, which are billed at another rate.
    generations: 1 for a judge that writes its verdict (METHODS: a verdict call counts one), else 0.
    abandoned: as of a Completion.
    """

    score: float | None
    step_scores: tuple[float, ...] | None = None
    tokens: int | None = None
    generations: float = 0.0
    latency_seconds: float | None = None
    estimated: bool = False
    written: int = 0
    abandoned: int = 0


Request = Generate | Verify
Reply = tuple[Completion, ...] | tuple[Verdict, ...]
"""To a Generate: its completions, perhaps fewer than asked. To a Verify: one verdict a candidate, in order."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How the models behind an endpoint are spoken to.

    step_separator: ends a step of an answer; step searches stop at it.
    revision_instruction: said by the user after an earlier attempt, to ask for a better one.
    temperature: of samples that are to differ, where an arm does not say; None leaves it to the server.
    max_tokens: of one completion; None leaves it to the server.
    body: further members of every request's JSON body.
    """

    step_separator: str = "\n\n"
    revision_instruction: str = (
        "Your answer may be wrong. Check it step by step, correct what is wrong, and give the whole answer again."
    )
    temperature: float | None = None
    max_tokens: int | None = None
    body: Mapping[str, Any] | None = None
