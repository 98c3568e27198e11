"""What a session decides by: which plan to follow within a budget, and how sure its best answer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.core import Budget, Sample, Unit
from planner.curves.logs import Floats
from planner.policy.adaptive.answers import AnswerModel, Drawn, Evidence
from planner.policy.adaptive.draws import Draw, Drawable, pool_of, revises
from planner.policy.adaptive.logistic import Doubles, Logistic
from planner.policy.adaptive.offers import Offers, Terms, Tilt
from planner.policy.adaptive.plan import Costed, Plan
from planner.policy.frontier import Mixture

if TYPE_CHECKING:
    from planner.policy.adaptive.learn import Learned

SLACK = 1 + 1e-6
MOST_CACHED = 256


@dataclass(frozen=True)
class Contest:
    """Plans against cascades on held-out prompts: points of accuracy gained, by mean cost or by ceiling.

    amount: rising costs, gain and stderr: in accuracy; (M,) each.
    """

    amount: Doubles
    gain: Doubles
    stderr: Doubles

    def at(self, amount: float) -> float:
        """Gain at a cost, between those that were tried by logarithm; the nearest one's beyond them."""
        return float(np.interp(np.log(amount), np.log(self.amount), self.gain))


@dataclass(frozen=True)
class Followed:
    """The plan that a session is to follow, and its cross-validated gain over cascades."""

    plan: Plan
    gain: float


@dataclass(frozen=True)
class Seat:
    """One draw that a session has made: which kind, and what came of it."""

    draw: Draw
    sample: Sample


@dataclass(frozen=True)
class Best:
    """The answer that a session would give now: place among its draws, and the chance that it is right."""

    place: int
    chance: float


@dataclass(frozen=True)
class Adaptive:
    """Learned decisions of sessions.

    use, rates, plans, priced, patient and tilt: see `Learned`. means, ceilings: the contests that say where cascades
    are no worse, by unit; a unit that is not there was not learned.
    """

    pools: tuple[Drawable, ...]
    model: AnswerModel
    plans: tuple[Costed, ...]
    priced: Mapping[Unit, tuple[int, ...]]
    use: Floats
    rates: Mapping[Unit, Floats]
    means: Mapping[Unit, Contest]
    ceilings: Mapping[Unit, Contest]
    patient: Mapping[Unit, tuple[int, ...]] = field(default_factory=dict)
    tilt: Tilt | None = None
    _terms: dict[object, tuple[Terms | None, Callable[[float | None], float]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, learned: Learned, means: Mapping[Unit, Contest], ceilings: Mapping[Unit, Contest]) -> Adaptive:
        """From what was learned from all prompts, and from contests on prompts held out."""
        return cls(
            learned.where.pools,
            learned.model,
            learned.plans,
            learned.priced,
            learned.use,
            learned.rates,
            means,
            ceilings,
            learned.patient,
            learned.tilt,
        )

    def costs(self, unit: Unit, factors: Floats | None = None) -> Floats:
        """(2K,) cost of every kind of draw in `unit`; `factors` (4, K) scale its use to a prompt."""
        rate = np.repeat(self.rates[unit], 2, axis=1)
        use = self.use if factors is None else self.use * np.repeat(factors, 2, axis=1)
        return np.asarray((rate * use).sum(axis=0))

    def follow(
        self, budget: Budget, lot: float, factors: Floats | None = None, foreseen: float | None = None
    ) -> Followed | None:
        """The plan for a budget; None where cascades are as good, or a limit is in a unit that was not learned.

        lot: a number in 0..1, the same for a prompt whenever asked: averages are kept by mixing two plans at random.
        foreseen: the pass rate that the prompt's text promises.
        """
        limited = set(budget.ceilings) | ({budget.mean[0]} if budget.mean else set())
        if not limited or limited - set(self.means):
            return None
        lengths = self.fitting(budget.ceilings, factors)
        gains = [self.ceilings[unit].at(value) for unit, value in budget.ceilings.items()]
        if budget.mean is not None:
            unit, value = budget.mean
            mixture = self.average(unit, value, lengths, foreseen)
            place = None if mixture is None else mixture.upper if lot < mixture.share else mixture.lower
            gains.append(self.means[unit].at(value))
        else:
            place = self.most_accurate(lengths, next(iter(budget.ceilings)))
        if place is None or min(gains) <= 0:
            return None
        return Followed(self.plans[place].plan, min(gains))

    def fitting(self, ceilings: Mapping[Unit, float], factors: Floats | None = None) -> list[int]:
        """For every plan, how many of its first draws fit all ceilings together."""
        lengths = [len(costed.plan) for costed in self.plans]
        for unit, ceiling in ceilings.items():
            costs = self.costs(unit, factors)
            for place, costed in enumerate(self.plans):
                spent = np.cumsum(costs[list(costed.plan.draws)])
                lengths[place] = min(lengths[place], int((spent <= ceiling * SLACK).sum()))
        return lengths

    def most_accurate(self, lengths: Sequence[int], unit: Unit) -> int | None:
        """The most accurate of what fits; of equals the cheapest."""
        options = [
            (self.plans[i].accuracy[n - 1], -self.plans[i].cost[unit][n - 1], -i) for i, n in enumerate(lengths) if n
        ]
        return -max(options)[2] if options else None

    def average(
        self, unit: Unit, value: float, lengths: Sequence[int] | None = None, foreseen: float | None = None
    ) -> Mixture | None:
        """The plans (places) to mix on a prompt so that traffic costs `value` on average; None below the cheapest.

        lengths: how many of each plan's first draws are made, see `fitting`; all where it is None.
        """
        whole = [len(costed.plan) for costed in self.plans]
        key = (unit, value, tuple(whole if lengths is None else lengths))
        agreed = self._terms.get(key)
        if agreed is None:
            if len(self._terms) >= MOST_CACHED:
                self._terms.clear()
            agreed = self._agreed(unit, value, key[2], self.tilt if list(key[2]) == whole else None)
            self._terms[key] = agreed
        terms, step = agreed  # not looked up again: another thread may have cleared the cache
        return None if terms is None else terms.at(step(foreseen))

    def _agreed(
        self, unit: Unit, value: float, lengths: Sequence[int], tilt: Tilt | None
    ) -> tuple[Terms | None, Callable[[float | None], float]]:
        """Terms that keep an average, and the place of a foreseen pass rate in them."""

        def cost(place: int) -> float:
            return float(self.plans[place].cost[unit][lengths[place] - 1])

        places = [i for i in dict.fromkeys(self.priced[unit]) if lengths[i]]
        accuracy = [float(self.plans[i].accuracy[lengths[i] - 1]) for i in places]
        tilts = None if tilt is None else (tilt.accuracy[places], tilt.cost[unit][places])
        dearer = sorted((cost(i), i) for i in self.patient.get(unit, ()) if lengths[i])
        offers = Offers.of(places, accuracy, [cost(i) for i in places], tilts)
        steps = np.zeros(1) if tilt is None else tilt.steps()
        return offers.terms(value, steps, dearer), (lambda _: 0.0) if tilt is None else tilt.step

    def cheapest(self, unit: Unit) -> Mixture:
        """The plan of least mean cost, alone."""
        place = min(self.priced[unit], key=lambda place: float(self.plans[place].cost[unit][-1]))
        return Mixture(place, place, 1.0)

    def best(self, seats: Sequence[Seat]) -> Best | None:
        """The answer to give after these draws; None where none of them has any."""
        drawn = _drawn(seats)
        evidence = self.model.evidence.of(drawn)
        found = self.model.posterior(drawn, evidence)
        code = int(found.answer[0])
        if code < 0:
            return None
        own = np.where(drawn.answer[0] == code, evidence[0], -np.inf)
        return Best(int(own.argmax()), float(found.chance[0]))

    def to_state(self) -> dict[str, Any]:
        """Plain values and arrays, from which `from_state` makes an equal one."""
        return {
            "pools": [asdict(pool) for pool in self.pools],
            "evidence": _logistic_state(self.model.evidence.model),
            "pooled": _logistic_state(self.model.pooled),
            "plans": [
                {
                    "draws": list(c.plan.draws),
                    "stop_at": list(c.plan.stop_at),
                    "by_votes": c.plan.by_votes,
                    "accuracy": c.accuracy.tolist(),
                    "cost": {unit: values.tolist() for unit, values in c.cost.items()},
                }
                for c in self.plans
            ],
            "priced": {unit: list(places) for unit, places in self.priced.items()},
            "patient": {unit: list(places) for unit, places in self.patient.items()},
            "tilt": None if self.tilt is None else vars(self.tilt),
            "use": self.use,
            "rates": dict(self.rates),
            "means": {unit: vars(contest) for unit, contest in self.means.items()},
            "ceilings": {unit: vars(contest) for unit, contest in self.ceilings.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Adaptive:
        """The inverse of `to_state`."""
        pools = tuple(Drawable(**pool) for pool in state["pools"])
        return cls(
            pools,
            AnswerModel(Evidence(Logistic(**state["evidence"]), len(pools)), Logistic(**state["pooled"])),
            tuple(
                Costed(
                    Plan(tuple(c["draws"]), tuple(c["stop_at"]), c.get("by_votes", False)),
                    np.array(c["accuracy"]),
                    {unit: np.array(values) for unit, values in c["cost"].items()},
                )
                for c in state["plans"]
            ),
            {unit: tuple(places) for unit, places in state["priced"].items()},
            state["use"],
            state["rates"],
            {unit: Contest(**contest) for unit, contest in state["means"].items()},
            {unit: Contest(**contest) for unit, contest in state["ceilings"].items()},
            {unit: tuple(places) for unit, places in state.get("patient", {}).items()},
            Tilt(**state["tilt"]) if state.get("tilt") else None,
        )


def _logistic_state(model: Logistic) -> dict[str, Any]:
    return {"weights": model.weights, "intercept": model.intercept}


def _drawn(seats: Sequence[Seat]) -> Drawn:
    known: dict[str, int] = {}
    samples = [seat.sample for seat in seats]
    answers = [-1 if one.answer is None else known.setdefault(one.answer, len(known)) for one in samples]
    return Drawn(
        answer=np.array([answers]),
        score=_numbers([one.score for one in samples]),
        score_min=_numbers([one.score_min for one in samples]),
        pool=np.array([pool_of(seat.draw) for seat in seats]),
        revised=np.array([revises(seat.draw) for seat in seats]),
        n_answers=len(seats),
    )


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([[np.nan if value is None else value for value in values]], dtype=np.float32)
