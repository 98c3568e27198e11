"""How many tokens a request is likely to take, and how many at most: from what came back so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from planner.core import Completion, Generate, Message, Verdict, Verify

TOKENS_PER_BYTE = 0.3
"""English takes a token for about four bytes; a little more is reserved than is likely."""
COMPLETION_TOKENS = 256.0
STEP_TOKENS = 64.0
"""Of a completion that ends at a step separator."""
VERDICT_TOKENS = 256.0
"""Of a verdict that a judge writes."""
LEAST_BOUND = 256.0
GENEROUS = 16
"""A completion that may take so many times what it hardly passes is not limited in length."""
_PRIOR_BYTES = 100.0


@dataclass(frozen=True, slots=True)
class Judging:
    """How a language model is asked for a verdict.

    wording_bytes: of what is said beside problem and answer, in UTF-8. max_tokens: that a verdict may have; None: it is
    not limited.
    """

    wording_bytes: int = 256
    max_tokens: int | None = None


@dataclass
class _Ratio:
    """Tokens for each byte of text."""

    tokens: float = TOKENS_PER_BYTE * _PRIOR_BYTES
    n_bytes: float = _PRIOR_BYTES
    seen: bool = False

    def add(self, tokens: float, n_bytes: float) -> None:
        if n_bytes > 0:
            self.tokens, self.n_bytes, self.seen = self.tokens + tokens, self.n_bytes + n_bytes, True

    def likely(self, n_bytes: float) -> float:
        return n_bytes * self.tokens / self.n_bytes

    def most(self, n_bytes: float) -> float:
        return self.likely(n_bytes) * 1.25 + 16 if self.seen else self.likely(n_bytes) * 2 + 64


@dataclass
class _Length:
    """Tokens of a completion: a forecast that counts as one completion, then what came back."""

    total: float
    n: float = 1.0
    greatest: float = 0.0

    def add(self, tokens: float) -> None:
        self.total, self.n, self.greatest = self.total + tokens, self.n + 1, max(self.greatest, tokens)

    @property
    def seen(self) -> bool:
        return self.n > 1

    @property
    def likely(self) -> float:
        return self.total / self.n

    @property
    def most(self) -> float:
        return max(4 * self.likely, 2 * self.greatest, LEAST_BOUND)


@dataclass
class Lengths:
    """Expected tokens by model.

    completion_tokens: of one whole answer, as forecast; None where unknown.
    judging: how a verifier is asked that writes its verdicts; None for one that only scores.
    """

    completion_tokens: float | None = None
    judging: Callable[[str], Judging | None] = lambda _: None
    _prompts: dict[str, _Ratio] = field(default_factory=lambda: defaultdict(_Ratio))
    _verified: dict[str, _Ratio] = field(default_factory=lambda: defaultdict(_Ratio))
    _completions: dict[tuple[str, bool], _Length] = field(default_factory=dict)
    _written: dict[str, _Length] = field(default_factory=lambda: defaultdict(lambda: _Length(VERDICT_TOKENS)))
    _verdicts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    _billed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    _counted: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))

    def prompt(self, request: Generate, *, most: bool = False) -> float:
        """Tokens read for one completion; of a chain's own steps it is likely that as much is cached as was so far."""
        ratio = self._prompts[request.generator]
        n_bytes = _size(request.messages) + _bytes(request.prefix)
        if most:
            return ratio.most(n_bytes)
        return ratio.likely(n_bytes) * (_share(self._counted[request.generator]) if request.prefix else 1.0)

    def billed_prompt(self, request: Generate) -> float:
        """Tokens of one completion's prompt on the bill: less than are read where several completions share one."""
        n_bytes = _size(request.messages) + _bytes(request.prefix)
        return self._prompts[request.generator].likely(n_bytes) * _share(self._billed[request.generator])

    def completion(self, request: Generate) -> float:
        """Tokens that one completion is likely to have."""
        likely = self._length(request).likely
        return likely if request.max_tokens is None else min(likely, request.max_tokens)

    def completion_bound(self, request: Generate) -> float:
        """Tokens that a completion will hardly pass, whatever its request allows."""
        return self._length(request).most

    def verify(self, request: Verify, candidate: str, *, most: bool = False) -> float:
        """Tokens that are read to score one candidate."""
        ratio = self._verified[request.verifier]
        n_bytes = self._verified_bytes(request, candidate)
        return ratio.most(n_bytes) if most else ratio.likely(n_bytes)

    def wording(self, verifier: str) -> float:
        """Tokens that a judge reads beside problem and answer."""
        judging = self.judging(verifier)
        return 0.0 if judging is None else self._verified[verifier].likely(judging.wording_bytes)

    def written(self, verifier: str, *, most: bool = False) -> float:
        """Tokens of one verdict: 0 where it is not written."""
        if not self.verdict_generations(verifier):
            return 0.0
        length, judging = self._written[verifier], self.judging(verifier)
        limit = None if judging is None else judging.max_tokens
        if most:
            return length.most * (1 if length.seen else GENEROUS) if limit is None else limit
        return length.likely if limit is None else min(length.likely, limit)

    def verdict_generations(self, verifier: str) -> float:
        """Generations that one verdict counts: 1 where it is written."""
        total, n = self._verdicts[verifier]
        return total / n if n else float(self.judging(verifier) is not None)

    def learn(self, request: Generate | Verify, reply: tuple[Completion, ...] | tuple[Verdict, ...]) -> None:
        """Take in what came back."""
        if isinstance(request, Generate):
            for completion in reply:
                assert isinstance(completion, Completion)
                self._learn_completion(request, completion)
        else:
            for candidate, verdict in zip(request.candidates, reply, strict=False):
                assert isinstance(verdict, Verdict)
                self._learn_verdict(request, candidate, verdict)

    def _learn_completion(self, request: Generate, completion: Completion) -> None:
        if completion.finish == "error":
            return
        if completion.prompt_tokens is not None:
            n_bytes = _size(request.messages) + _bytes(request.prefix)
            self._prompts[request.generator].add(completion.prompt_tokens, n_bytes)
            billed = completion.billed_prompt_tokens
            share = self._billed[request.generator]
            share[0] += completion.prompt_tokens if billed is None else billed
            share[1] += completion.prompt_tokens
            if request.prefix:
                share = self._counted[request.generator]
                share[0] += completion.prompt_tokens - completion.cached_tokens
                share[1] += completion.prompt_tokens
        if completion.completion_tokens is not None:
            self._length(request).add(completion.completion_tokens)

    def _learn_verdict(self, request: Verify, candidate: str, verdict: Verdict) -> None:
        if verdict.tokens is not None:
            n_bytes = self._verified_bytes(request, candidate)
            self._verified[request.verifier].add(verdict.tokens - verdict.written, n_bytes)
            self._written[request.verifier].add(verdict.written)
        if verdict.score is not None:
            known = self._verdicts[request.verifier]
            known[0] += verdict.generations
            known[1] += 1

    def _verified_bytes(self, request: Verify, candidate: str) -> int:
        judging = self.judging(request.verifier)
        return _size(request.messages) + _bytes(candidate) + (0 if judging is None else judging.wording_bytes)

    def _length(self, request: Generate) -> _Length:
        steps = bool(request.stop) and not request.ends_answer
        key = (request.generator, steps)
        if key not in self._completions:
            likely = self.completion_tokens or COMPLETION_TOKENS
            self._completions[key] = _Length(min(likely, STEP_TOKENS) if steps else likely)
        return self._completions[key]


def _share(part_and_whole: list[float]) -> float:
    part, whole = part_and_whole
    return part / whole if whole else 1.0


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _size(messages: tuple[Message, ...]) -> int:
    return sum(
        _bytes(message.content if isinstance(message.content, str) else _parts(message.content)) for message in messages
    )


def _parts(content: Any) -> str:  # noqa: ANN401 - as the caller gave it
    return repr(content)
