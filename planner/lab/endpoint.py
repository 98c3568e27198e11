"""The laboratory's models as an endpoint in this process."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Sequence

from planner.core import Completion, Conventions, Generate, Verdict, Verify
from planner.errors import EndpointRejected
from planner.lab.chains import Chains
from planner.lab.chat import MAX_TOKENS, answer_tokens, conversation_tokens, fit
from planner.lab.engine import GENERATORS, VERIFIER, Engine, Order

_CONVENTIONS = Conventions(step_separator="\n", revision_instruction="Revise:", temperature=0.8, max_tokens=MAX_TOKENS)
_AT_ONCE = 4096
"""Requests side by side: as many as anybody would run."""


class LabEndpoint:
    """Implements core.Endpoint with real, tiny models: lab-small, lab-large, lab-reviser, and lab-prm that verifies.

    Requests that run side by side are computed together, in a thread of their own. A request with a seed gives the
    same texts whatever runs beside it. Tokens are counted as in the laboratory's logs (chains.py).
    """

    def __init__(self, *, max_concurrency: int | None = None) -> None:
        self._engine = Engine()
        self._chains = Chains(self._engine.tokenizer.newline)
        self._max_concurrency = max_concurrency or _AT_ONCE

    @property
    def name(self) -> str:
        """What it is called where a URL may stand."""
        return "lab"

    @property
    def conventions(self) -> Conventions:
        """Steps are lines; temperature and length as in the laboratory's logs."""
        return _CONVENTIONS

    @property
    def max_concurrency(self) -> int:
        """Requests side by side; they wait for each other inside."""
        return self._max_concurrency

    async def models(self) -> Sequence[str]:
        """Names of the generators and of the verifier."""
        return (*GENERATORS, VERIFIER)

    async def generate(self, request: Generate) -> tuple[Completion, ...]:
        """`request.n` completions. Raises EndpointRejected for an unknown model or a prompt that is too long."""
        if request.generator not in GENERATORS:
            raise _unknown(request.generator, GENERATORS)
        started = time.perf_counter()
        tokenizer = self._engine.tokenizer
        prompt = tuple(conversation_tokens(tokenizer, request.messages))
        prefix = tuple(tokenizer.encode(request.prefix))
        cached = self._chains.cached(request.generator, prompt, prefix)
        texts = await self._engine.write(
            Order(
                model=request.generator,
                tokens=fit(prompt + prefix),
                n=request.n,
                seed=secrets.randbits(63) if request.seed is None else request.seed,
                temperature=0.8 if request.temperature is None else request.temperature,
                max_tokens=MAX_TOKENS if request.max_tokens is None else request.max_tokens,
                stop=request.stop,
            )
        )
        for written in texts:
            self._chains.wrote(request.generator, prompt + prefix + written.tokens)
        return tuple(
            Completion(
                text=written.text,
                finish=written.finish,
                ended=written.ended,
                prompt_tokens=len(prompt) + len(prefix),
                cached_tokens=cached,
                completion_tokens=len(written.tokens),
                latency_seconds=time.perf_counter() - started,
            )
            for written in texts
        )

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, with a score for each of its steps. Raises EndpointRejected, see generate."""
        if request.verifier != VERIFIER:
            raise _unknown(request.verifier, (VERIFIER,))
        started = time.perf_counter()
        tokenizer = self._engine.tokenizer
        prompt = tuple(conversation_tokens(tokenizer, request.messages))
        answers = [answer_tokens(tokenizer, candidate) for candidate in request.candidates]
        for answer in answers:
            fit(prompt + answer)
        counts = self._chains.read(prompt, answers)
        scores = await self._engine.score([(prompt, answer) for answer in answers])
        return tuple(
            Verdict(
                score=steps[-1] if steps else None,
                step_scores=steps or None,
                tokens=count,
                latency_seconds=time.perf_counter() - started,
            )
            for steps, count in zip(scores, counts, strict=True)
        )

    async def aclose(self) -> None:
        """Give up what is being computed and end the thread; a later request starts another."""
        await asyncio.to_thread(self._engine.close)


def _unknown(name: str, known: Iterable[str]) -> EndpointRejected:
    return EndpointRejected(f"the lab has no such model as {name!r} here: name one of {', '.join(known)}")
