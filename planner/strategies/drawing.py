"""What searches share: asking for answers, reading them, and having them scored."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from planner.core import Completion, Generate, Message, Sample, Verdict, Verify
from planner.core.run import Status
from planner.strategies.parameters import Settings
from planner.strategies.pool import Pool, Replies, Requests
from planner.strategies.task import Task

MAX_TEXT_BYTES = 1_000_000
"""Of one text, as logs have it."""

_STATUS: Mapping[str, Status] = {"stop": "ok", "length": "truncated", "error": "error"}


def answers(
    task: Task,
    generator: str,
    n: int = 1,
    *,
    place: Sequence[int | str],
    settings: Settings | None = None,
    messages: tuple[Message, ...] | None = None,
) -> Generate:
    """Ask for `n` whole answers to the task, or to a conversation of its own; `place` in the search sets the seed."""
    wanted = settings or Settings()
    conventions = task.conventions
    return Generate(
        generator=generator,
        messages=task.messages if messages is None else messages,
        n=n,
        temperature=conventions.temperature if wanted.temperature is None else wanted.temperature,
        max_tokens=conventions.max_tokens if wanted.max_tokens is None else wanted.max_tokens,
        seed=task.seed_of(*place),
        generations=float(n),
    )


def as_sample(
    task: Task,
    completion: Completion,
    *,
    generator: str,
    prefix: str = "",
    chain: int = 0,
    attempt: int = 0,
    stage: int | None = None,
) -> Sample:
    """A finished candidate: `prefix` and what was completed. One that failed has its cost, and no text or answer."""
    failed = completion.finish == "error"
    text = prefix + completion.text
    return Sample(
        chain=chain,
        attempt=attempt,
        stage=stage,
        answer=None if failed else answer_of(task, text),
        text=None if failed else storable(text),
        generator=generator,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        latency_seconds=completion.latency_seconds,
        status=_STATUS[completion.finish],
    )


def answer_of(task: Task, text: str) -> str | None:
    """The comparable answer that a text gives."""
    answer = task.extract(text)
    return None if answer is None else storable(answer)


def storable(text: str) -> str:
    """As much of what a model wrote as a store can hold: no NUL, no half of a surrogate pair, a megabyte of UTF-8."""
    if len(text) * 4 <= MAX_TEXT_BYTES and text.isascii() and "\0" not in text:
        return text
    clean = text.replace("\0", "").encode("utf-8", "replace")
    return clean[:MAX_TEXT_BYTES].decode("utf-8", "ignore")


def verification(task: Task, verifier: str, texts: Sequence[str]) -> Verify:
    """Ask for scores of finished answers."""
    return Verify(verifier=verifier, messages=task.messages, candidates=tuple(_finished(task, one) for one in texts))


def scored(samples: Sequence[Sample], verdicts: Sequence[Verdict], *, verifier: str) -> list[Sample]:
    """The samples with what a verifier said of each, in order; those past the last verdict stay as they are."""
    rest = list(samples[len(verdicts) :])
    return [_with(sample, verdict, verifier) for sample, verdict in zip(samples, verdicts, strict=False)] + rest


def judged(
    task: Task, pool: Pool, samples: Sequence[Sample], verifier: str | None
) -> Generator[Requests, Replies, list[Sample]]:
    """Have finished candidates scored (by no one where `verifier` is None) and add them to the pool.

    Blank ones are not shown to the verifier. Where the scoring is interrupted all are added without scores.
    """
    result = list(samples)
    shown = {place: sample.text for place, sample in enumerate(samples) if sample.text and sample.text.strip()}
    try:
        if verifier is not None and shown:
            (reply,) = yield (verification(task, verifier, list(shown.values())),)
            verdicts = [one for one in reply if isinstance(one, Verdict)]
            told = scored([samples[place] for place in shown], verdicts, verifier=verifier)
            for place, sample in zip(shown, told, strict=True):
                result[place] = sample
    finally:
        for sample in result:
            pool.add(sample)
    return result


def completions(reply: Sequence[Completion | Verdict]) -> list[Completion]:
    """The completions of a reply to a Generate, perhaps none."""
    return [one for one in reply if isinstance(one, Completion)]


def _with(sample: Sample, verdict: Verdict, verifier: str) -> Sample:
    steps = verdict.step_scores or None
    seconds = [s for s in (sample.latency_seconds, verdict.latency_seconds) if s is not None]
    return sample.model_copy(
        update={
            "verifier": verifier,
            "score": verdict.score,
            "score_min": min(steps) if steps else None,
            "step_scores": steps,
            "verifier_tokens": verdict.tokens,
            "latency_seconds": sum(seconds) if seconds else None,
        }
    )


def _finished(task: Task, text: str) -> str:
    """Without separators at its end, which would say that steps are to follow."""
    separator = task.conventions.step_separator
    while separator and text.endswith(separator):
        text = text.removesuffix(separator)
    return text
