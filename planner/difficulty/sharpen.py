"""Sharpens the posterior over bins by samples already drawn: probes, graded or not.

Graded probes enter by the chance of their outcomes in each bin. Ungraded ones enter by a likelihood that sums over
which of the answers is right (`probe_model`), scaled and corrected as probes replayed from the logged samples ask for:
where nothing was logged to learn from, they change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True)
class Update:
    """What so many probes tell: `share` of the model's log likelihood, and features (1, N_FEATURES) @ coefficients."""

    share: float
    coefficients: Doubles


@dataclass(frozen=True)
class LearnedProbes:
    """What was learned of one generator's ungraded probes.

    updates: by number of probes. answered: whether their answers were logged; where they were not, updates are learned
    from scores alone.
    """

    model: ProbeModel
    updates: Mapping[int, Update]
    answered: bool = True

    def tell(self, drawn: Sequence[Sequence[Probe]], rates: Doubles) -> Doubles:
        """What probes say of the bins, equally many for each of R prompts; (R, B), added to log probabilities."""
        update = self.updates[len(drawn[0])]
        coded = [_coded(own) for own in drawn]
        answers = np.array([answers for answers, _ in coded], dtype=np.int64)
        scores = np.array([scores for _, scores in coded], dtype=np.float64)
        expected = self.model.by_bin(answers, scores, rates)
        return np.asarray(update.share * expected + probe_basis(answers, scores) @ update.coefficients)

    def tell_by_scores(self, drawn: Sequence[Sequence[Probe]], rates: Doubles) -> Doubles:
        """The same for probes whose answers are unknown: who does not know them cannot say whether they agree."""
        scores = np.array([[probe.score for probe in own] for own in drawn], dtype=np.float64)
        return np.asarray(self.updates[len(drawn[0])].share * self.model.by_bin_of_scores(scores, rates))

    def telling(self, drawn: Sequence[Probe]) -> tuple[list[Probe], list[Probe]]:
        """Of ungraded probes those that tell by answer and score, and those that tell by their score alone."""
        if not self.answered:
            return list(drawn), []
        scored = [] if self.model.slope == 0.0 else [p for p in drawn if p.answer is None and p.score is not None]
        return [p for p in drawn if p.answer is not None], scored

    def most(self, n_probes: int) -> int:
        """The greatest number of probes with a learned update that is at hand; 0 for none."""
        return max((k for k in self.updates if k <= n_probes), default=0)


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
        ungraded: dict[tuple[str, int, bool], list[tuple[int, list[Probe]]]] = defaultdict(list)
        for row, drawn in enumerate(probes):
            for generator, own in self._by_generator(drawn).items():
                graded = [probe.correct for probe in own if probe.correct is not None]
                if graded and generator in self.rates:
                    log_bins[row] += self._graded(generator, np.array(graded))
                    told[row] = True
                learned = self.learned.get(generator)
                if learned is None:
                    continue
                for by_scores, rest in enumerate(learned.telling([probe for probe in own if probe.correct is None])):
                    if k := learned.most(len(rest)):
                        ungraded[generator, k, bool(by_scores)].append((row, rest[:k]))
                        told[row] = True
        for (generator, _, by_scores), group in ungraded.items():
            rows, drawn_of = np.array([row for row, _ in group]), [drawn for _, drawn in group]
            learned = self.learned[generator]
            tell = learned.tell_by_scores if by_scores else learned.tell
            log_bins[rows] += tell(drawn_of, self.rates[generator])
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
