"""Runs of one prompt together, and what an export counts on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from planner.core import NO_OUTCOMES, Run, Sample

WITH_TEXTS = (
    "texts cannot be made from hashes: set PLANNER_STORE_PROMPT_TEXT=1, then log anew, or take the import out "
    "(`planner logs undo`) and import it again"
)


@dataclass(frozen=True)
class Candidate:
    """A graded candidate with its text."""

    run: Run
    sample: Sample
    text: str
    is_right: bool


@dataclass
class Seen:
    """What came by: the reasons why an export may have nothing to say."""

    runs: int = 0
    hashed: int = 0
    samples: int = 0
    texts: int = 0
    graded_texts: int = 0
    prompt_texts: int = 0
    rollouts: int = 0


def by_prompt(runs: Iterable[Run]) -> Iterator[tuple[str, list[Run]]]:
    """Prompt ids with their runs, which must come together."""
    for prompt_id, some in groupby(runs, key=lambda run: run.prompt_id or ""):
        yield prompt_id, list(some)


def candidates(runs: Iterable[Run], seen: Seen) -> Iterator[Candidate]:
    """Graded candidates of runs that are no rollouts, where text and prompt are known."""
    for run in runs:
        seen.runs += 1
        seen.hashed += run.prompt is None
        seen.rollouts += is_rollouts(run)
        for sample in run.samples if run.search not in NO_OUTCOMES else ():
            seen.samples += 1
            if sample.text is None:
                continue
            seen.texts += 1
            if sample.correct is None or sample.status == "error":
                continue
            seen.graded_texts += 1
            if run.prompt is None:
                continue
            seen.prompt_texts += 1
            yield Candidate(run, sample, sample.text, sample.correct > 0.5)


def is_rollouts(run: Run) -> bool:
    """Whether the run's samples go on from the steps of another run's answer."""
    return run.search == "rollouts"


def what_is_missing(seen: Seen) -> str:
    """Why no candidate could be used, and what to do."""
    if not seen.runs:
        return "no run is logged that meets the conditions: `planner logs stats` shows what there is"
    if seen.hashed == seen.runs:
        return f"{texts_left_out(seen)}, and {WITH_TEXTS}"
    if not seen.texts:
        return (
            f"the texts of the answers are not logged ({seen.samples:,} samples, none with `text`): "
            "`planner run` and `planner explore` log them, and imported samples may hold a member `text`"
        )
    if not seen.graded_texts:
        return (
            f"none of the {seen.texts:,} samples with a text is graded: give references and a grader "
            "(`planner explore --grade`), or import the logs again with `correct` on every sample"
        )
    return f"{texts_left_out(seen)}, and {WITH_TEXTS}"


def texts_left_out(seen: Seen) -> str:
    """How many runs could not be used since their prompts' texts are not stored."""
    return f"{seen.hashed:,} of {seen.runs:,} runs are on prompts whose texts are not stored"
