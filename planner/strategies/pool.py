"""The finished candidates of a run, and the one that is chosen among them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from planner.core import Arm, Reply, Request, Sample
from planner.errors import EndpointError

Requests = tuple[Request, ...]
"""Requests that may run side by side; replies come back together, in the same order."""
Replies = Sequence[Reply]
Search = Generator[Requests, Replies, None]


class Interrupted(Exception):
    """No more may be spent, or no more can be had: the search ends with the candidates that it has."""


@dataclass
class Pool:
    """Candidates as they are finished, in order; what a search leaves behind when it is interrupted."""

    samples: list[Sample] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """One more finished candidate."""
        self.samples.append(sample)


@dataclass(frozen=True)
class Result:
    """What a strategy came to.

    chosen: place in `samples` of the answer; None where there is no candidate at all.
    interrupted: why it ended before its plan did, else None. failure: the endpoint's error, where that is why.
    """

    arm: Arm
    samples: tuple[Sample, ...]
    chosen: int | None
    interrupted: str | None = None
    failure: EndpointError | None = None

    @property
    def answer(self) -> str | None:
        """The chosen candidate's comparable answer."""
        return None if self.chosen is None else self.samples[self.chosen].answer

    @property
    def text(self) -> str | None:
        """The chosen candidate's whole text."""
        return None if self.chosen is None else self.samples[self.chosen].text

    @property
    def note(self) -> str | None:
        """What a reader of the answer should know: that a vote had nothing to go by, as with free text."""
        answers = [sample.answer for sample in self.samples if sample.answer is not None]
        if self.arm.selection != "majority_vote" or len(answers) < 2 or len(set(answers)) < len(answers):
            return None
        return (
            f"no two of the {len(answers)} answers are equal, so that the vote told nothing and the first was taken: "
            "for free text choose by medoid (`planner run --choose medoid`), or name a verifier"
        )
