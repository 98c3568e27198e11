"""A tree by hand: what may follow a text, and what texts are worth; every request is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from worlds import drive

from planner.core import Arm, Completion, Conventions, Generate, Message, Reply, Request, Verdict, Verify
from planner.strategies import Interrupted, Result, Task, carry_out

END = "."


def task(seed: int = 0) -> Task:
    """Steps are words that end with a newline; an answer's last word ends with a full stop, and is the answer."""
    return Task(
        messages=(Message("user", "Where to?"),),
        extract=lambda text: text.rsplit("\n", 1)[-1] if text.endswith(END) else None,
        answered=lambda text: text.endswith(END),
        seed=seed,
        conventions=Conventions(step_separator="\n", temperature=0.8, max_tokens=50),
    )


@dataclass
class Tree:
    """`after` gives the steps that follow a text, the first one the greedy one; a request for n takes turns.

    worth: score of a text without its last newline, .5 where none is given. tells: whether ends are told.
    """

    after: Mapping[str, Sequence[str]]
    worth: Mapping[str, float] = field(default_factory=dict)
    tells: bool = True
    most_requests: int = 10_000
    generated: list[Generate] = field(default_factory=list)
    verified: list[Verify] = field(default_factory=list)

    def serve(self, request: Request) -> Reply:
        if isinstance(request, Verify):
            self.verified.append(request)
            return tuple(Verdict(self.worth.get(text.rstrip("\n"), 0.5), tokens=1) for text in request.candidates)
        self.generated.append(request)
        steps = self.after[request.prefix]
        return tuple(self._complete(request, steps[place % len(steps)]) for place in range(request.n))

    def _complete(self, request: Generate, step: str) -> Completion:
        text, size = step, 1
        while not request.stop and not text.endswith(END):
            text += "\n"
            text += self.after[request.prefix + text][0]
            size += 1
        return Completion(
            text, ended=text.endswith(END) if self.tells else None, prompt_tokens=3, completion_tokens=size
        )

    def run(self, arm: Arm, seed: int = 0) -> Result:
        return drive(carry_out(arm, task(seed)), self.serve)

    def interrupted(self, arm: Arm, after: int) -> Result:
        """Interrupted after so many yields were answered."""
        search = carry_out(arm, task())
        try:
            requests = next(search)
            for _ in range(after):
                requests = search.send([self.serve(request) for request in requests])
            search.throw(Interrupted("enough"))
        except StopIteration as end:
            return end.value
        raise AssertionError("it went on")

    @property
    def asked(self) -> list[tuple[str, int]]:
        """Prefix and number of completions of every request, in order."""
        return [(request.prefix, request.n) for request in self.generated]

    @property
    def generations(self) -> float:
        return sum(request.generations for request in self.generated)


def arm(search: str, breadth: int, *, verifier: str | None = "prm", selection: str = "best_of_n", **params) -> Arm:
    return Arm(generator="g", verifier=verifier, search=search, selection=selection, breadth=breadth, params=params)


def texts(result: Result) -> list[str]:
    return [sample.text for sample in result.samples]
