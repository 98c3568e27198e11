"""A scripted world: models that answer from a request's seed and content alone, and ways to drive a search in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from planner.core import Completion, Conventions, Generate, Message, Reply, Request, Verdict, Verify
from planner.formats.answers import answer_line
from planner.strategies import Interrupted, Task

T = TypeVar("T")
Steps = Generator[Sequence[Request], Sequence[Reply], T]

SEPARATOR = "\n"
N_STEPS = 3
N_ANSWERS = 3


def task(seed: int = 0, *, separator: str = SEPARATOR) -> Task:
    return Task(
        messages=(Message("user", "How much is it?"),),
        extract=answer_line,
        answered=lambda text: answer_line(text) is not None,
        seed=seed,
        conventions=Conventions(step_separator=separator, revision_instruction="Revise:", temperature=0.8),
    )


def number(*of: object) -> int:
    """The same number for the same values, in every process."""
    return int.from_bytes(hashlib.blake2b(repr(of).encode(), digest_size=6).digest(), "little")


@dataclass
class World:
    """Answers are three steps and an answer line; every completion and score is read off its request.

    tells: whether a completion says that the model ended its answer, as some servers do not.
    greedy: seeds change nothing, so that equal requests have equal replies.
    """

    tells: bool = True
    greedy: bool = False
    separator: str = SEPARATOR

    def serve(self, request: Request) -> Reply:
        if isinstance(request, Generate):
            return tuple(self.complete(request, place) for place in range(request.n))
        return tuple(self.judge(request, text) for text in request.candidates)

    def complete(self, request: Generate, place: int) -> Completion:
        fixed = self.greedy or request.temperature == 0
        luck = (request.generator, request.messages, *(() if fixed else (request.seed, place)))
        text, left = request.prefix, N_STEPS - request.prefix.count(self.separator)
        while left > 0:
            text += f"step {number(luck, text) % 100}{self.separator}"
            left -= 1
        text += f"Answer: {number(luck, text) % N_ANSWERS}"
        written, ended = text[len(request.prefix) :], True
        for stop in request.stop:
            if stop in written:
                written, ended = written[: written.index(stop)], False
        size = len(written.split())
        prompt = sum(len(str(message.content).split()) for message in request.messages) + len(request.prefix.split())
        return Completion(
            written, ended=ended if self.tells else None,
            prompt_tokens=prompt, completion_tokens=size, latency_seconds=size / 100,
        )  # fmt: skip

    def judge(self, request: Verify, text: str) -> Verdict:
        steps = [one for one in text.split(self.separator) if one]
        scores = tuple(
            round(number(request.verifier, self.separator.join(steps[: place + 1])) % 1000 / 1000, 3)
            for place in range(len(steps))
        )
        return Verdict(scores[-1] if scores else None, step_scores=scores or None, tokens=len(text.split()))


def drive(search: Steps[T], serve: Callable[[Request], Reply]) -> T:
    """Answer every request until the search ends."""
    try:
        requests = next(search)
        while True:
            requests = search.send([serve(request) for request in requests])
    except StopIteration as end:
        return end.value


@dataclass
class Meter:
    """Counts generations, and lets no more than `most` be spent.

    A round is carried out as far as it fits, with fewer completions than asked or none at all; after a round that
    was cut short the next that would generate is interrupted.
    """

    most: float
    world: World = field(default_factory=World)
    spent: float = 0.0
    exhausted: bool = False

    def drive(self, search: Steps[T]) -> T:
        try:
            requests = next(search)
            while True:
                if self.exhausted and any(isinstance(request, Generate) for request in requests):
                    requests = search.throw(Interrupted("no generations are left"))
                else:
                    requests = search.send([self._serve(request) for request in requests])
        except StopIteration as end:
            return end.value

    def _serve(self, request: Request) -> Reply:
        if isinstance(request, Verify):
            return self.world.serve(request)
        each = request.generations / request.n
        n = request.n if each == 0 else min(request.n, int((self.most - self.spent) / each + 1e-9))
        self.exhausted |= n < request.n
        self.spent += n * each
        return self.world.serve(replace(request, n=n)) if n else ()


def interrupted_at(search: Steps[T], world: World, step: int) -> T:
    """Interrupt the search at its request of that place (0: the first); it may ask for nothing after that."""
    try:
        requests = next(search)
        for place in range(1_000_000):
            if place == step:
                search.throw(Interrupted("enough"))
                raise AssertionError("it went on after it was interrupted")
            requests = search.send([world.serve(request) for request in requests])
    except StopIteration as end:
        return end.value
    raise AssertionError("it does not end")
