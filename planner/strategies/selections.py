"""Which candidate is answered with: votes, scores, places and likeness; third parties' by `planner.selections`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from planner.core import Sample
from planner.curves.stop import choose
from planner.errors import UnknownStrategy
from planner.strategies.parameters import Choosing
from planner.strategies.plugins import with_plugins

GROUP = "planner.selections"
# Weights that differ by less than this share are the same sum taken in another order.
_LEVEL = 1 - 1e-5
# Comparing texts takes time by the square of their length: so many characters of each tell enough.
_COMPARED = 10_000


@dataclass(frozen=True)
class Selection:
    """One rule: `choose(samples, choosing)` gives the place of the answer; `samples` is never empty.

    needs_scores: candidates are to be scored by the arm's verifier before.
    """

    name: str
    choose: Callable[[Sequence[Sample], Choosing], int]
    needs_scores: bool
    summary: str


def select(name: str, samples: Sequence[Sample], choosing: Choosing | None = None) -> int | None:
    """Place of the candidate to answer with, the first drawn among equals; None where there is no candidate.

    Candidates that failed are passed over while there is any other, and where no candidate bears a score a rule
    that asks for scores falls back on a majority vote. Raises UnknownStrategy for a name that is not known.
    """
    rule = selection_of(name)
    how = choosing or Choosing()
    places = [place for place, sample in enumerate(samples) if sample.status != "error"] or list(range(len(samples)))
    if how.answer_from == "last_stage":
        last = max((samples[place].stage or 0 for place in places), default=0)
        places = [place for place in places if (samples[place].stage or 0) == last]
    if not places:
        return None
    if rule.needs_scores and all(samples[place].score is None for place in places):
        rule = selection_of("majority_vote")
    return places[rule.choose([samples[place] for place in places], how)]


@cache
def selections() -> Mapping[str, Selection]:
    """Every selection by name, built-ins first; raises InvalidInput for a third party's that cannot be used."""
    return with_plugins(GROUP, Selection, _BUILT_IN)


def selection_of(name: str) -> Selection:
    """The selection of that name; raises UnknownStrategy."""
    known = selections()
    if name not in known:
        raise UnknownStrategy(f"no selection {name!r} is known: use one of {', '.join(known)}")
    return known[name]


def score_of(sample: Sample, choosing: Choosing) -> float | None:
    """A candidate's score by the aggregate that is asked for; the one that it has where steps are not scored."""
    match choosing.aggregate:
        case "min":
            return sample.score if sample.score_min is None else sample.score_min
        case "product":
            return sample.score if sample.step_scores is None else math.prod(sample.step_scores)
    return sample.score


def _by_rule(name: str, samples: Sequence[Sample], choosing: Choosing) -> int:
    return choose(name, [one.answer for one in samples], [score_of(one, choosing) for one in samples])


def _filter_vote(samples: Sequence[Sample], choosing: Choosing) -> int:
    scores = [score_of(one, choosing) for one in samples]
    verdicts = [float(score is not None and score >= choosing.threshold) for score in scores]
    return choose("filter_vote", [one.answer for one in samples], verdicts)


def _weighted_vote(samples: Sequence[Sample], choosing: Choosing) -> int:
    """Within each chain, then across the chains' winners (Snell et al. 2024); over stages all candidates at once."""
    if any(one.stage is not None for one in samples):
        return _by_rule("weighted_vote", samples, choosing)
    chains: defaultdict[int, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        chains[sample.chain].append(place)
    winners = [_chain_winner(samples, places, choosing) for places in chains.values()]
    answers, weights = [samples[place].answer for place, _ in winners], [weight for _, weight in winners]
    return winners[choose("weighted_vote", answers, weights)][0]


def _chain_winner(samples: Sequence[Sample], places: Sequence[int], choosing: Choosing) -> tuple[int, float]:
    """First attempt with the answer of greatest weight, and the greatest score of an attempt with that answer.

    An attempt without answer wins only where the chain has none at all.
    """
    places = [place for place in places if samples[place].answer is not None] or places
    total: defaultdict[str | None, float] = defaultdict(float)
    greatest: defaultdict[str | None, float] = defaultdict(float)
    for place in places:
        answer, score = samples[place].answer, score_of(samples[place], choosing) or 0.0
        total[answer] += score
        greatest[answer] = max(greatest[answer], score)
    level = [answer for answer, weight in total.items() if weight >= max(total.values()) * _LEVEL]
    won = max(level, key=lambda answer: greatest[answer])
    return next(place for place in places if samples[place].answer == won), greatest[won]


def _medoid(samples: Sequence[Sample], _: Choosing) -> int:
    """The text that is most like the others."""
    from rapidfuzz.process import cdist  # noqa: PLC0415 - other selections do without

    texts = [(sample.text or sample.answer or "")[:_COMPARED] for sample in samples]
    likeness = cdist(texts, texts).sum(axis=1)
    return int(likeness.argmax())


_BUILT_IN = (
    Selection("first", partial(_by_rule, "first"), needs_scores=False, summary="the first candidate"),
    Selection("last", partial(_by_rule, "last"), needs_scores=False, summary="the last attempt"),
    Selection(
        "majority_vote", partial(_by_rule, "majority_vote"), needs_scores=False, summary="the most frequent answer"
    ),
    Selection("filter_vote", _filter_vote, needs_scores=True, summary="majority of those that the verifier passes"),
    Selection("weighted_vote", _weighted_vote, needs_scores=True, summary="greatest sum of scores of equal answers"),
    Selection("best_of_n", partial(_by_rule, "best_of_n"), needs_scores=True, summary="greatest verifier score"),
    Selection("medoid", _medoid, needs_scores=False, summary="the text most like the others: free text, no verifier"),
)
