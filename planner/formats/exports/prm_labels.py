"""Labels of steps for training a process reward model, in TRL's form for stepwise supervision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from planner.core import Run, Sample
from planner.errors import NotEnoughData
from planner.formats.exports.prompts import Candidate, Seen, by_prompt, candidates, is_rollouts, what_is_missing
from planner.formats.exports.steps import step_separator, steps

Labels = Literal["soft", "hard", "outcome"]
Record = dict[str, Any]
Solution = tuple[str, Any, Any]
"""run_id, chain and attempt of a candidate."""


@dataclass(frozen=True)
class SolutionRollouts:
    """Rollouts of one solution: by the steps that each went on from, whether it came to the right answer."""

    separator: str
    right: dict[int, list[bool]] = field(default_factory=dict)


Rollouts = Mapping[Solution, SolutionRollouts]


@dataclass
class PrmExport:
    """Turns logged runs into records {"prompt", "completions": [step, ...], "labels": [...]}.

    labels: `soft` is the share of the rollouts from a step that reach the right answer, `hard` whether any does
    (Math-Shepherd, arXiv 2312.08935), `outcome` gives every step its solution's own outcome and needs no rollouts.
    The last step's label is the solution's own outcome.
    min_rollouts: a solution with fewer from any step but the last is left out.
    """

    labels: Labels = "soft"
    min_rollouts: int = 1
    generators: tuple[str, ...] = ()
    seen: Seen = field(default_factory=Seen)
    n_records: int = 0

    def records(self, runs: Iterable[Run]) -> Iterator[Record]:
        """One record a solution; runs of one prompt must come together.

        Raises NotEnoughData, saying what is missing, at the end where there was none.
        """
        for _, some in by_prompt(runs):
            rollouts = {} if self.labels == "outcome" else rollouts_of(some)
            for candidate in candidates(some, self.seen):
                record = self._record(candidate, rollouts)
                if record is not None:
                    self.n_records += 1
                    yield record
        if not self.n_records:
            raise NotEnoughData(self._why_none())

    def _record(self, candidate: Candidate, rollouts: Rollouts) -> Record | None:
        generator = candidate.sample.generator or candidate.run.generator
        if self.generators and generator not in self.generators:
            return None
        sample = candidate.sample
        found = rollouts.get((candidate.run.run_id or "", sample.chain, sample.attempt))
        separator = step_separator(candidate.text) if found is None else found.separator
        parts = steps(candidate.text, separator)
        if not parts or (found is None and self.labels != "outcome" and len(parts) > 1):
            return None
        labels = self._labels(len(parts), {} if found is None else found.right, own=candidate.is_right)
        if labels is None:
            return None
        return {"prompt": candidate.run.prompt, "completions": list(parts), "labels": list(labels)}

    def _labels(self, n_steps: int, right: Mapping[int, list[bool]], *, own: bool) -> Sequence[Any] | None:
        if self.labels == "outcome":
            return [own] * n_steps
        reached = [right.get(step, []) for step in range(1, n_steps)]
        if any(len(some) < self.min_rollouts for some in reached):
            return None
        if self.labels == "soft":
            return [*(sum(some) / len(some) for some in reached), float(own)]
        return [*(any(some) for some in reached), own]

    def _why_none(self) -> str:
        if not self.seen.prompt_texts:
            return what_is_missing(self.seen)
        return (
            f"{self.seen.prompt_texts:,} graded solutions with a text, but none has {self.min_rollouts} or more "
            "rollouts from each of its steps: run `planner explore --prompts FILE --endpoint URL --rollouts 8`, "
            "or take `--labels outcome`"
        )


def rollouts_of(runs: Iterable[Run]) -> Rollouts:
    """Rollouts by solution (run_id, chain, attempt), from the runs of one prompt.

    Such a run has search `rollouts`; its params name the solution {rollout_of, chain, attempt} and the
    step_separator, and the `stage` of its samples counts the steps that they went on from.
    """
    found: dict[Solution, SolutionRollouts] = {}
    for run in filter(is_rollouts, runs):
        known = found.setdefault(_solution(run), SolutionRollouts(str(run.params.get("step_separator", "\n"))))
        for sample in run.samples:
            outcome = _outcome(sample)
            if outcome is not None and sample.stage is not None:
                known.right.setdefault(sample.stage, []).append(outcome)
    return found


def _solution(run: Run) -> Solution:
    return (str(run.params.get("rollout_of")), run.params.get("chain", 0), run.params.get("attempt", 0))


def _outcome(sample: Sample) -> bool | None:
    """Whether a rollout came to the right answer; one that was cut off without an answer did not."""
    if sample.correct is None:
        return False if sample.answer is None and sample.status != "ok" else None
    return sample.correct > 0.5
