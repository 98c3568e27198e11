"""What a run has spent: tokens by model as they came back, and their cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from planner.core import Completion, Cost, Generate, Reply, Request, Unit, Usage, Verdict
from planner.execution.prices import Counts, Prices


def counts_of(request: Request, reply: Reply) -> Counts:
    """What a reply says that it took."""
    if isinstance(request, Generate):
        completions = [one for one in reply if isinstance(one, Completion)]
        share = sum(one.finish != "error" for one in completions) / request.n  # what never came is no candidate
        return Counts(
            generations=request.generations * min(share, 1.0),
            prompt=_sum([prompt_tokens(request, one) for one in completions]),
            billed_prompt=_sum([_billed(one) for one in completions]),
            cached=0 if request.prefix else sum(one.cached_tokens for one in completions),
            completion=_sum([one.completion_tokens for one in completions]),
        )
    verdicts = [one for one in reply if isinstance(one, Verdict)]
    return Counts(
        generations=sum(one.generations for one in verdicts),
        verifier=_sum([one.tokens for one in verdicts]),
        written=sum(one.written for one in verdicts),
    )


def prompt_tokens(request: Generate, completion: Completion) -> int | None:
    """Prompt tokens that a completion counts: the prompt once a sample, however many share it (METHODS 2).

    A chain that goes on from its own steps was charged for prompt and steps before: what the server had cached of
    them is not counted again, or a tree search would seem to cost what no log of it says.
    """
    if completion.prompt_tokens is None or not request.prefix:
        return completion.prompt_tokens
    return completion.prompt_tokens - completion.cached_tokens


@dataclass
class _Model:
    requests: int = 0
    prompt: float | None = 0.0
    completion: float | None = 0.0
    flops: float | None = 0.0
    usd: float | None = 0.0


@dataclass
class Tally:
    """Sums over the requests of a run; None once a part is unknown."""

    prices: Prices
    verdicts: int = 0
    generations: float = 0.0
    _models: dict[str, _Model] = field(default_factory=dict)
    _prompt: float | None = 0.0
    _completion: float | None = 0.0
    _verifier: float | None = 0.0

    def add(self, request: Request, counts: Counts) -> None:
        """One more request that is over."""
        name = request.generator if isinstance(request, Generate) else request.verifier
        model = self._models.setdefault(name, _Model())
        model.requests += 1
        model.prompt = _plus(_plus(model.prompt, counts.prompt), _plus(counts.verifier, -counts.written))
        model.completion = _plus(_plus(model.completion, counts.completion), counts.written)
        model.flops = _plus(model.flops, self.prices.cost(name, counts, "flops"))
        model.usd = _plus(model.usd, self.prices.cost(name, counts, "usd"))
        self.generations += counts.generations
        self._prompt = _plus(self._prompt, counts.prompt)
        self._completion = _plus(self._completion, counts.completion)
        self._verifier = _plus(self._verifier, counts.verifier)
        if not isinstance(request, Generate):
            self.verdicts += len(request.candidates)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for yet."""
        return not self._models

    def cost(self, seconds: float) -> Cost:
        """Everything spent, after so many seconds of the clock."""
        models = self._models.values()
        return Cost(
            generations=self.generations,
            prompt_tokens=self._prompt,
            completion_tokens=self._completion,
            verifier_tokens=self._verifier,
            flops=_sum([model.flops for model in models]),
            usd=_sum([model.usd for model in models]),
            latency_seconds=seconds,
        )

    @property
    def usage(self) -> tuple[Usage, ...]:
        """Requests and tokens by model, in the order of first use."""
        return tuple(
            Usage(
                model=name,
                requests=model.requests,
                prompt_tokens=_whole(model.prompt),
                completion_tokens=_whole(model.completion),
            )
            for name, model in self._models.items()
        )


SUMS: tuple[Unit, ...] = ("generations", "tokens", "flops", "usd")
"""Units that add up over requests; latency does not."""


def _billed(completion: Completion) -> float | None:
    return completion.prompt_tokens if completion.billed_prompt_tokens is None else completion.billed_prompt_tokens


def _plus(total: float | None, more: float | None) -> float | None:
    return None if total is None or more is None else total + more


def _sum(values: list[float | None] | list[int | None]) -> float | None:
    total: float | None = 0.0
    for value in values:
        total = _plus(total, value)
    return total


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
