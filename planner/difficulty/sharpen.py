"""Sharpens the posterior over bins by samples already drawn: probes, graded or not.

Graded probes enter by the chance of their outcomes in each bin. Ungraded ones enter by a likelihood that sums over
which of the answers is right (`probe_model`), scaled and corrected as probes replayed from the logged samples ask for:
where nothing was logged to learn from, they change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from planner.difficulty.belief import SOURCES, Belief
from planner.difficulty.bins import RATES
from planner.difficulty.latent import Doubles
from planner.difficulty.posterior import softmax
from planner.difficulty.probe_features import probe_basis
from planner.difficulty.probe_model import ProbeModel

if TYPE_CHECKING:
    from planner.core import Probe

_TINY = 1e-12
By = Literal["both", "answer", "score"]
"""What probes are judged by: answers and scores, as far as they were logged, or one of them alone."""


@dataclass(frozen=True)
class Update:
    """What so many probes tell: `share` of the model's log likelihood, and features (1, N_FEATURES) @ coefficients."""

    share: float
    coefficients: Doubles


@dataclass(frozen=True)
class LearnedProbes:
    """What was learned of one generator's ungraded probes.

    updates: by number of probes, as they were logged. unscored: the same without their scores, where they had some.
    answered: whether their answers were logged; where they were not, updates are learned from scores alone.
    """

    model: ProbeModel
    updates: Mapping[int, Update]
    unscored: Mapping[int, Update] | None = None
    answered: bool = True

    def tell(self, by: By, drawn: Sequence[Sequence[Probe]], rates: Doubles) -> Doubles:
        """What probes say of the bins, equally many for each of R prompts; (R, B), added to log probabilities."""
        update = self._by(by)[len(drawn[0])]
        coded = [_coded(own) for own in drawn]
        answers = np.array([answers for answers, _ in coded], dtype=np.int64)
        scores = np.array([scores for _, scores in coded], dtype=np.float64)
        if by == "score":  # who does not know their answers cannot say whether they agree
            return np.asarray(update.share * self.model.by_bin_of_scores(scores, rates))
        if by == "answer":
            scores = np.full_like(scores, np.nan)
        expected = self.model.by_bin(answers, scores, rates)
        return np.asarray(update.share * expected + probe_basis(answers, scores) @ update.coefficients)

    def telling(self, drawn: Sequence[Probe]) -> Iterator[tuple[By, list[Probe]]]:
        """Of ungraded probes those that tell something, as many as an update was learned for, and by what they tell."""
        if not self.answered:
            yield from self._most("both", list(drawn))
            return
        answered = [p for p in drawn if p.answer is not None]
        bare = self.unscored is not None and any(p.score is None for p in answered)
        yield from self._most("answer" if bare else "both", answered)
        if self.model.slope != 0.0:
            yield from self._most("score", [p for p in drawn if p.answer is None and p.score is not None])

    def _most(self, by: By, drawn: list[Probe]) -> Iterator[tuple[By, list[Probe]]]:
        if k := max((k for k in self._by(by) if k <= len(drawn)), default=0):
            yield by, drawn[:k]

    def _by(self, by: By) -> Mapping[int, Update]:
        return self.unscored or {} if by == "answer" else self.updates


@dataclass(frozen=True)
class ProbeUpdate:
    """What probes of each generator say of the bins.

    learned: generator -> what its ungraded probes tell, from replayed ones.
    rates: generator -> distribution of its pass rate within each bin, over `RATES`; (B, len(RATES)).
    """

    reference: str
    learned: Mapping[str, LearnedProbes]
    rates: Mapping[str, Doubles]

    def apply(self, belief: Belief, probes: Sequence[Sequence[Probe]]) -> Belief:
        """The belief after the probes of each prompt; prompts without any that tell something are as before."""
        log_bins = np.log(np.maximum(belief.bins.astype(np.float64), _TINY))
        told = np.zeros(len(belief), dtype=np.bool_)
        ungraded: dict[tuple[str, int, By], list[tuple[int, list[Probe]]]] = defaultdict(list)
        for row, drawn in enumerate(probes):
            for generator, own in self._by_generator(drawn).items():
                graded = [probe.correct for probe in own if probe.correct is not None]
                if graded and generator in self.rates:
                    log_bins[row] += self._graded(generator, np.array(graded))
                    told[row] = True
                learned = self.learned.get(generator)
                if learned is None:
                    continue
                for by, telling in learned.telling([probe for probe in own if probe.correct is None]):
                    ungraded[generator, len(telling), by].append((row, telling))
                    told[row] = True
        for (generator, _, by), group in ungraded.items():
            rows, drawn_of = np.array([row for row, _ in group]), [drawn for _, drawn in group]
            log_bins[rows] += self.learned[generator].tell(by, drawn_of, self.rates[generator])
        return self._sharper(belief, softmax(log_bins), told)

    def _sharper(self, belief: Belief, bins: Doubles, told: np.ndarray[Any, np.dtype[np.bool_]]) -> Belief:
        rate = bins @ (self.rates[self.reference] @ RATES)
        return replace(
            belief,
            bins=np.where(told[:, None], bins, belief.bins).astype(np.float32),
            pass_rate=np.where(told, rate, belief.pass_rate).astype(np.float32),
            source=np.where(told, SOURCES.index("probes"), belief.source).astype(np.int8),
        )

    def _by_generator(self, drawn: Sequence[Probe]) -> dict[str, list[Probe]]:
        groups: dict[str, list[Probe]] = defaultdict(list)
        for probe in drawn:
            groups[probe.generator or self.reference].append(probe)
        return groups

    def _graded(self, generator: str, correct: Doubles) -> Doubles:
        """Log chance of the graded outcomes in each bin; (B,)."""
        likelihood = RATES ** correct.sum() * (1.0 - RATES) ** (1.0 - correct).sum()
        return np.asarray(np.log(np.maximum(self.rates[generator] @ likelihood, 1e-300)))


def _coded(drawn: Sequence[Probe]) -> tuple[list[int], list[float]]:
    """Answers as codes, -1 for none, and scores, NaN for none."""
    codes: dict[str, int] = {}
    answers = [-1 if not p.answer else codes.setdefault(p.answer, len(codes)) for p in drawn]
    return answers, [np.nan if p.score is None else p.score for p in drawn]
