"""The process reward model: a backbone that reads answers, and a head fitted on outcomes or on step rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Literal

import numpy as np

from planner.lab.llama import Llama
from planner.lab.prm import step_statistics
from planner.lab.tokenizer import EOS, tokenizer
from planner.lab.training.data import Drawn, Report, Tokens, Writer, is_right
from planner.lab.training.head import Discernment, Example, Floats, Head, fit_head, split, within_prompt_auc
from planner.lab.weights import read_weights

Labels = Literal["outcome", "rollouts"]


@dataclass(frozen=True)
class FittedHead:
    """A head, and how well it tells right samples from wrong ones of prompts that it was not fitted on."""

    head: Head
    held_out: Discernment
    n_samples: int
    n_steps: int


def fit_verifier(
    backbone: Traversable,
    drawn: Sequence[Drawn],
    *,
    sampler: Traversable,
    labels: Labels,
    rollouts: int,
    seed: int,
    report: Report,
) -> FittedHead:
    """Fit a head over what `backbone` reads in samples that ended.

    `outcome` labels every step by its sample's outcome, a rollout of one; `rollouts` by the share of so many more,
    written by `sampler` after each step but the last, that come out right (Math-Shepherd, arXiv 2312.08935).
    """
    kept = [
        (group, one, sample, right)
        for group, one in enumerate(drawn)
        for sample, right in zip(one.samples, one.right, strict=True)
        if sample[-1:] == (EOS,)
    ]
    report(0, None, "reading")
    model = Llama(read_weights(backbone))
    statistics = step_statistics(model, tokenizer(), [(one.prompt, sample) for _, one, sample, _ in kept])
    if labels == "outcome":
        targets = [np.full(len(x), right, np.float32) for x, (_, _, _, right) in zip(statistics, kept, strict=True)]
    else:
        answers = [(one, sample, right) for _, one, sample, right in kept]
        targets = step_labels(answers, sampler, rollouts=rollouts, seed=seed, report=report)
    examples = [
        Example(group, x, y, right) for x, y, (group, _, _, right) in zip(statistics, targets, kept, strict=True)
    ]
    fitted_on, held_out = split(examples, np.random.default_rng(seed))
    report(0, None, "fitting")
    head = fit_head(fitted_on, seed=seed)
    return FittedHead(head, within_prompt_auc(head, held_out), len(examples), sum(map(len, targets)))


def step_labels(
    answers: Sequence[tuple[Drawn, Tokens, bool]], sampler: Traversable, *, rollouts: int, seed: int, report: Report
) -> list[Floats]:
    """For each answer the soft labels of its steps; equal beginnings of one problem share their rollouts."""
    newline = tokenizer().newline
    cuts = [[place + 1 for place, token in enumerate(answer) if token == newline] for _, answer, _ in answers]
    wanted: dict[Tokens, Drawn] = {}
    for (one, answer, _), places in zip(answers, cuts, strict=True):
        wanted |= {(*one.prompt, *answer[:place]): one for place in places}
    written = Writer(sampler).write([(context, rollouts) for context in wanted], seed=seed, report=report)
    share = {
        context: sum(is_right((*context, *rest), one.reference) for rest in some) / rollouts
        for (context, one), some in zip(wanted.items(), written, strict=True)
    }
    return [
        np.array([*(share[(*one.prompt, *answer[:place])] for place in places), right], np.float32)
        for (one, answer, right), places in zip(answers, cuts, strict=True)
    ]
