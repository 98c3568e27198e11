"""A reviser: reads a draft of its own kind, keeps it where it is right and mends it where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources.abc import Traversable

import numpy as np
from rapidfuzz.distance import Levenshtein

from planner.lab.tokenizer import EOS, PAD, tokenizer
from planner.lab.training.data import Drawn, Writer, draw, is_right
from planner.lab.training.loop import Plan, Report, Trained, train
from planner.lab.training.network import Llama
from planner.lab.training.sequences import Batch, Row, batches, row

INSTRUCTION = "Revise:\n"
_DRAFTS = (1, 1, 1, 1, 1, 2)
"""Drafts in a context: a model of this size does not learn to read longer ones in minutes."""
_TOKENS = 3_500
_CHAINS = 4
_TRIVIAL_KEPT = 0.25
_REVISIONS = 0.55
"""Share of rows that revise; the others are the model's own samples, so that its first attempt stays what it was."""

# Muon on matrices and Adam on the rest: what made the weights that the package ships.
MINUTES, ADAM, MUON = 14.5, 1e-3, 0.012


def train_reviser(
    model: Llama, drawn: Sequence[Drawn], *, minutes: float, seed: int, report: Report, most_steps: int | None = None
) -> Trained:
    """Train `model` in place to revise samples such as `drawn`, which should be its own.

    The target after a right draft is the draft; after a wrong one the right sample of least edit distance to it, or
    the problem's own solution where no sample is right. Source: Snell et al. 2024, arXiv 2408.03314, section 6.
    """
    rng = np.random.default_rng([seed, 1])
    usable = [one for one in drawn if any(_ended(sample) for sample in one.samples)]
    near = cache(lambda place, draft: nearest_right(usable[place], draft))

    def draw() -> Row:
        return _revision(usable, rng, near) if rng.random() < _REVISIONS else _plain(usable, rng)

    def mixed(_passed: Callable[[], float]) -> Iterator[Batch]:
        return batches(draw, rng, tokens=_TOKENS, padding=PAD)

    plan = Plan(
        minutes, adam=ADAM, muon=MUON, decay_from=0.4, warmup_steps=50, weight_decay=0.01, most_steps=most_steps
    )
    return train(model, mixed, plan, report=report)


def revision_rate(folder: Traversable, n_problems: int, *, seed: int, report: Report) -> tuple[float, float]:
    """Share of right first attempts on fresh problems, and of right second ones, each after its first."""
    first = draw(folder, n_problems, _CHAINS, seed=seed, report=report)
    pairs = [(one, sample) for one in first for sample in one.samples if _ended(sample)]
    contexts = [(tuple(revision_context(one.prompt, [sample])), 1) for one, sample in pairs]
    second = Writer(folder).write(contexts, seed=seed + 1, report=report)
    revised = sum(is_right(new, one.reference) for (one, _), (new,) in zip(pairs, second, strict=True))
    n_samples = n_problems * _CHAINS
    return sum(sum(one.right) for one in first) / n_samples, revised / n_samples


def nearest_right(drawn: Drawn, draft: tuple[int, ...]) -> tuple[int, ...]:
    """The right sample of least edit distance to a wrong draft, else the problem's own solution."""
    right = sorted({sample for sample, is_right in zip(drawn.samples, drawn.right, strict=True) if is_right})
    if not right:
        return drawn.solution
    return right[int(np.argmin([Levenshtein.distance(sample, draft) for sample in right]))]


def revision_context(prompt: Sequence[int], drafts: Sequence[Sequence[int]]) -> list[int]:
    """A prompt, drafts, and after each the instruction to revise."""
    instruction = tokenizer().encode(INSTRUCTION)
    return [*prompt, *(token for draft in drafts for token in (*draft, *instruction))]


def _revision(
    drawn: Sequence[Drawn], rng: np.random.Generator, near: Callable[[int, tuple[int, ...]], tuple[int, ...]]
) -> Row:
    while True:
        place = int(rng.integers(len(drawn)))
        one = drawn[place]
        if all(one.right) and rng.random() > _TRIVIAL_KEPT:
            continue
        chosen = rng.integers(len(one.samples), size=_DRAFTS[int(rng.integers(len(_DRAFTS)))])
        drafts = [one.samples[i] for i in chosen]
        if all(_ended(draft) for draft in drafts):
            target = drafts[-1] if one.right[chosen[-1]] else near(place, drafts[-1])
            return row(revision_context(one.prompt, drafts), target)


def _plain(drawn: Sequence[Drawn], rng: np.random.Generator) -> Row:
    while True:
        one = drawn[int(rng.integers(len(drawn)))]
        sample = one.samples[int(rng.integers(len(one.samples)))]
        if _ended(sample):
            return row(one.prompt, sample)


def _ended(sample: tuple[int, ...]) -> bool:
    return sample[-1:] == (EOS,)
