from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Literal

from planner.core import Verdict, Verify
from planner.errors import EndpointError, EndpointRejected
from planner.execution.openai.answer import Answer
from planner.execution.openai.completions import share
from planner.execution.openai.parsing import read_usage
from planner.execution.openai.tokens import TokenEstimate, text_bytes
from planner.execution.openai.wire import Wire
from planner.execution.verifiers.protocols import ORDER, ROUTES, Protocol, bodies, items, prompt_text
from planner.execution.verifiers.scores import Scale, read_scores

_NOT_THIS = frozenset({400, 404, 405, 415, 422, 500, 501})


class RemoteVerifier:
    """A scoring model behind HTTP; which of three protocols it speaks is learned from its first answer.

    steps: POST {url}/score {prompt, completions} -> {scores: [[a score a step], ...] or [a score, ...]};
    pairs: POST {url}/score {text_1: prompt, text_2: candidates} -> {data: [{index, score}, ...]} (vLLM);
    pooling: POST /pooling {messages} of each candidate -> {data: [{data: scores}]} (vLLM reward models; rows of
    two are a step's probabilities of wrong and right).
    url: the server's base; one that ends with /score or /pooling says where to ask.
    model: what the server calls it (default: the verifier's name in the request). step_separator, step_tag: for
    pooling models that mark the end of each step by a tag (Qwen2.5-Math-PRM: "<extra_0>").
    scale: how scores outside of 0..1 are mapped (`Scale`).
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        protocol: Protocol | None = None,
        step_separator: str = "\n\n",
        step_tag: str | None = None,
        scale: Literal["probability", "logit"] | None = None,
        wire: Wire | None = None,
        **options: Any,  # noqa: ANN401 - as Wire takes them
    ) -> None:
        base, tried = _split(url)
        self._wire = wire or Wire(base, api_key=api_key, **options)
        self._model = model
        self._protocols: tuple[Protocol, ...] = tried if protocol is None else (protocol,)
        self._step_separator, self._step_tag = step_separator, step_tag
        self._scale = Scale(scale)
        self._estimate = TokenEstimate()

    def __repr__(self) -> str:
        return f"RemoteVerifier({self._wire.address.name!r})"

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order.

        Raises EndpointError where no protocol gives a score for each candidate.
        """
        if not request.candidates:
            return ()
        first: EndpointError | None = None
        for protocol in self._protocols:
            try:
                answers, found = await self._ask(protocol, request)
            except _NotSpoken as error:
                first = first or error.complaint
                continue
            self._protocols = (protocol,)
            return self._verdicts(request, answers, found)
        assert first is not None
        raise EndpointRejected(
            f"{first} (scores were asked for as {' and '.join(self._protocols)}; give the URL of a verifier: "
            "PLANNER_VERIFIER_URL)"
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    async def _ask(self, protocol: Protocol, request: Verify) -> tuple[list[Answer | None], list[Any]]:
        """Answers, and what stands in them for each candidate; None for those that failed beside others."""
        model = self._model or request.verifier
        asked = bodies(protocol, request, model, separator=self._step_separator, tag=self._step_tag)
        unsure = len(self._protocols) > 1
        # The first of several tells whether the server knows the protocol at all.
        first = await self._wire.send(ROUTES[protocol], asked[0], model=model, suspects=unsure)
        found = self._check(protocol, first, model)
        answers: list[Answer | None] = [first]
        sends = (self._wire.send(ROUTES[protocol], body, model=model) for body in asked[1:])
        for outcome in await asyncio.gather(*sends, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, EndpointError):
                raise outcome
            answer = outcome if isinstance(outcome, Answer) and outcome.good else None
            answers.append(answer)
            found += [None] if answer is None else self._check(protocol, answer, model)
        if len(found) != len(request.candidates):
            raise EndpointRejected(
                f"{self._wire.address.name} gave {len(found)} scores for {len(request.candidates)} candidates of "
                f"model {model!r}; check that it is a verifier, and its protocol"
            )
        return answers, found

    def _check(self, protocol: Protocol, answer: Answer, model: str) -> list[Any]:
        found = items(protocol, answer.data) if answer.good else None
        if found is not None:
            return found
        complaint = self._wire.complaint(answer, model)
        if answer.good:
            complaint = EndpointRejected(f"{self._wire.address.name} answered without scores for model {model!r}")
        if answer.good or answer.status in _NOT_THIS:
            raise _NotSpoken(complaint)
        raise complaint

    def _verdicts(self, request: Verify, answers: list[Answer | None], found: list[Any]) -> tuple[Verdict, ...]:
        read = [read_scores(item, by_step=self._protocols == ("steps",)) for item in found]
        self._scale.learn([score for scores in read if scores is not None for score in scores[0]])
        counts, estimated = self._tokens(request, answers)
        seconds = max(answer.seconds for answer in answers if answer is not None)
        first, *others = (
            self._verdict(scores, tokens=tokens, latency_seconds=seconds, estimated=estimated)
            for scores, tokens in zip(read, counts, strict=True)
        )
        abandoned = sum(answer.abandoned for answer in answers if answer is not None) * (len(found) // len(answers))
        return (replace(first, abandoned=abandoned) if abandoned else first, *others)

    def _verdict(self, scores: tuple[list[float], bool] | None, **counts: Any) -> Verdict:  # noqa: ANN401
        mapped = [self._scale.mapped(score) for score in scores[0]] if scores else []
        known = [score for score in mapped if score is not None]
        if scores is None or len(known) < len(mapped):
            return Verdict(None, **counts)
        return Verdict(known[-1], tuple(known) if scores[1] else None, **counts)

    def _tokens(self, request: Verify, answers: list[Answer | None]) -> tuple[list[int], bool]:
        """Tokens read for each candidate: the server's total shared by length, else prompt and candidate estimated."""
        prompt = text_bytes(prompt_text(request))
        sizes = [prompt + text_bytes(candidate) for candidate in request.candidates]
        usages = [read_usage(answer.data) for answer in answers if answer is not None]
        told = [usage.prompt_tokens for usage in usages if usage.prompt_tokens is not None]
        if len(told) < len(answers):
            return [self._estimate.tokens(size) for size in sizes], True
        self._estimate.learn(sum(sizes), sum(told))
        return share(sum(told) - sum(usage.cached_tokens for usage in usages), sizes), False


class _NotSpoken(Exception):
    """The server doesn't know the protocol, or refuses it."""

    def __init__(self, complaint: EndpointError) -> None:
        super().__init__(str(complaint))
        self.complaint = complaint


def _split(url: str) -> tuple[str, tuple[Protocol, ...]]:
    """Base URL, and the protocols that its ending leaves."""
    bare, mark, query = url.strip().partition("?")
    bare = bare.rstrip("/")
    if bare.endswith("/score"):
        return bare.removesuffix("/score") + mark + query, ("steps", "pairs")
    if bare.endswith("/pooling"):
        return bare.removesuffix("/pooling") + mark + query, ("pooling",)
    return url, ORDER
