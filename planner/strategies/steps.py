"""What searches over steps share: chains that grow step by step, when they are finished, and what they are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from planner.core import Arm, Completion, Generate, Sample, Verdict, Verify
from planner.core.run import Status
from planner.errors import InvalidInput
from planner.strategies.drawing import answer_of, completions, storable
from planner.strategies.parameters import Parameters
from planner.strategies.pool import Pool, Replies, Requests
from planner.strategies.task import Task

_ENDS: Mapping[str, Status] = {"stop": "ok", "length": "truncated"}
Chains = Generator[Requests, Replies, list["Chain"]]
"""Asks for something, and returns chains."""


class StepParameters(Parameters):
    """max_steps: rounds after which what is unfinished ends as it is (Snell et al. 2024: 40).

    max_step_tokens: of one step; None: as many as an answer may have.
    """

    max_steps: Annotated[int, Field(ge=1)] = 40
    max_step_tokens: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps of an answer, what a verifier says of them, and what this one chain cost from its first step on.

    text: ends with the step separator unless it is finished. status: None while it is not finished.
    """

    text: str = ""
    status: Status | None = None
    score: float | None = None
    step_scores: tuple[float, ...] | None = None
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    verifier_tokens: int | None = 0
    latency_seconds: float | None = 0.0

    @property
    def finished(self) -> bool:
        """Whether no step can follow."""
        return self.status is not None

    @property
    def worth(self) -> float:
        """The score; 0 where the verifier failed."""
        return self.score or 0.0

    def paid(self, completion: Completion) -> Chain:
        """The chain with the cost of one more completion; what was cached of its prefix was not read again."""
        read = None if completion.prompt_tokens is None else completion.prompt_tokens - completion.cached_tokens
        return replace(
            self,
            prompt_tokens=_sum(self.prompt_tokens, read),
            completion_tokens=_sum(self.completion_tokens, completion.completion_tokens),
            latency_seconds=_sum(self.latency_seconds, completion.latency_seconds),
        )

    def judged(self, verdict: Verdict, *, paid: bool = True) -> Chain:
        """The chain with what a verifier said of it, and its cost where it was not paid already."""
        return replace(
            self,
            score=verdict.score,
            step_scores=verdict.step_scores or None,
            verifier_tokens=_sum(self.verifier_tokens, verdict.tokens) if paid else self.verifier_tokens,
            latency_seconds=_sum(self.latency_seconds, verdict.latency_seconds) if paid else self.latency_seconds,
        )


class Steps:
    """The models of one search as it goes from step to step; texts that were scored once are not scored again."""

    def __init__(self, arm: Arm, task: Task, parameters: StepParameters) -> None:
        self.arm, self.task, self.parameters = arm, task, parameters
        self.separator = task.conventions.step_separator
        self._verdicts: dict[str, Verdict] = {}
        self._n_asked = 0

    @property
    def verifier(self) -> str:
        """Who scores; raises InvalidInput where the arm names nobody."""
        if self.arm.verifier is None:
            raise InvalidInput(f"{self.arm.search!r} goes by scores of steps: name a verifier, or use tree_of_thoughts")
        return self.arm.verifier

    @property
    def answer_tokens(self) -> int | None:
        """Most tokens of a whole answer; None leaves it to the endpoint."""
        said = self.parameters.settings.max_tokens
        return self.task.conventions.max_tokens if said is None else said

    def grown(self, wanted: Sequence[tuple[Chain, int]], *, generations: float = 0.0) -> Chains:
        """Chains that are one step longer: so many children of each, equal chains asked for in one request.

        generations: what the children count in all, borne by the first request.
        """
        counts: Counter[str] = Counter()
        for chain, n in wanted:
            counts[chain.text] += n
        parents = {chain.text: chain for chain, _ in reversed(wanted)}
        asked = [(parents[text], n) for text, n in counts.items() if n]
        charges = [generations, *[0.0] * len(asked)]
        replies = yield tuple(
            self.request(chain, n, generations=charge) for (chain, n), charge in zip(asked, charges, strict=False)
        )
        return [
            self.extended(chain, completion)
            for (chain, _), reply in zip(asked, replies, strict=True)
            for completion in completions(reply)
            if completion.finish != "error"
        ]

    def request(self, chain: Chain, n: int = 1, *, generations: float, greedy: bool = False) -> Generate:
        """Ask for `n` next steps of a chain, sampled or greedy."""
        settings, conventions = self.parameters.settings, self.task.conventions
        sampled = conventions.temperature if settings.temperature is None else settings.temperature
        limit = self.parameters.max_step_tokens
        self._n_asked += 1
        return Generate(
            generator=self.arm.generator,
            messages=self.task.messages,
            n=n,
            prefix=chain.text,
            stop=(self.separator,),
            temperature=0.0 if greedy else sampled,
            max_tokens=self.answer_tokens if limit is None else limit,
            seed=self.task.seed_of(self.arm.search, self._n_asked),
            generations=generations,
        )

    def rolled_out(self, chains: Sequence[Chain], *, generations: float = 0.0) -> Chains:
        """The chains gone on with to their ends, a request each; those of failed requests are left out."""
        requests = [self.request(chain, generations=generations) for chain in chains]
        replies = yield tuple(replace(request, stop=(), max_tokens=self.answer_tokens) for request in requests)
        return [
            replace(
                chain.paid(one),
                text=chain.text + one.text,
                status=_ENDS[one.finish],
                score=None,
                step_scores=None,
            )
            for chain, reply in zip(chains, replies, strict=True)
            for one in completions(reply)[:1]
            if one.finish != "error"
        ]

    def extended(self, chain: Chain, completion: Completion) -> Chain:
        """The chain with one more step, not scored yet."""
        text = chain.text + completion.text
        status = self._status(completion, text)
        if status is None:
            text += self.separator
        return replace(chain.paid(completion), text=text, status=status, score=None, step_scores=None)

    def scored(self, chains: Sequence[Chain], *, by: Sequence[str] | None = None) -> Chains:
        """The chains with their scores, or with those of other texts, one a chain; equal texts are read once."""
        texts = [chain.text for chain in chains] if by is None else list(by)
        new = list(dict.fromkeys(text for text in texts if text not in self._verdicts))
        if new:
            (reply,) = yield (Verify(self.verifier, self.task.messages, tuple(new)),)
            told = [one for one in reply if isinstance(one, Verdict)]
            self._verdicts |= dict.fromkeys(new, Verdict(None)) | dict(zip(new, told, strict=False))
        unpaid = set(new)
        result = []
        for chain, text in zip(chains, texts, strict=True):
            result.append(chain.judged(self._verdicts[text], paid=text in unpaid))
            unpaid.discard(text)
        return result

    def finish(self, pool: Pool, chains: Sequence[Chain]) -> None:
        """Add chains to the pool as candidates; one that is not finished as truncated."""
        for chain in chains:
            pool.add(self._sample(chain, len(pool.samples)))

    def save(self, pool: Pool, chains: Sequence[Chain]) -> None:
        """What an interrupted search leaves of chains in hand: the finished ones, else the best as far as it is."""
        self.finish(pool, [chain for chain in chains if chain.finished])
        begun = [chain for chain in chains if chain.text]
        if not pool.samples and begun:
            self.finish(pool, [max(begun, key=lambda chain: (chain.worth, len(chain.text)))])

    def _status(self, completion: Completion, text: str) -> Status | None:
        if completion.finish == "length":
            return "truncated"
        if completion.ended is None:
            # A server that does not tell a stop text from the end says nothing more once the answer has ended.
            return "ok" if not completion.text or self.task.answered(text) else None
        return "ok" if completion.ended else None

    def _sample(self, chain: Chain, place: int) -> Sample:
        text = chain.text
        while self.separator and text.endswith(self.separator):
            text = text.removesuffix(self.separator)
        return Sample(
            chain=place,
            answer=answer_of(self.task, text),
            score=chain.score,
            score_min=min(chain.step_scores) if chain.step_scores else None,
            step_scores=chain.step_scores,
            prompt_tokens=chain.prompt_tokens,
            completion_tokens=chain.completion_tokens,
            verifier_tokens=chain.verifier_tokens,
            latency_seconds=chain.latency_seconds,
            status=chain.status or "truncated",
            text=storable(text),
            generator=self.arm.generator,
            # without a verifier it is the generator itself that judged
            verifier=self.arm.verifier or (None if chain.score is None else self.arm.generator),
        )


def _sum(total: Any, more: Any) -> Any:  # noqa: ANN401 - tokens or seconds
    """Their sum; unknown where either is."""
    return None if total is None or more is None else total + more
