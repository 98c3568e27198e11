"""Cost of every arm, forecast for the prompt: use of each slot by bin, scaled by how long its samples will be.

An arm's mean cost will not do: hard prompts have longer answers, and cascades escalate on them, so that a policy that
moves its budget there would overspend by 10 to 20% (METHODS 6.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from planner.budget.lengths import Lengths
from planner.budget.use import BinUse, Training, latency_by_bin, use_by_bin
from planner.compiled import BUILT
from planner.core import Cost, Forecast, ModelCard, Unit
from planner.curves.costs import Rates, rates
from planner.curves.table import OutcomeTable, Slots

if BUILT:
    from planner.compiled import choosing
    from planner.compiled.making import ForecastMaker
if TYPE_CHECKING:
    from planner.budget.believed import Believed
    from planner.curves.logs import Floats

DERIVED: tuple[Unit, ...] = ("flops", "usd", "latency_seconds")
PARTS = ("generations", "prompt_tokens", "completion_tokens", "verifier_tokens")
SPENT = (*PARTS, *DERIVED)
Indices = NDArray[np.intp]
Amounts = list[float | None]
"""What is spent, by `SPENT`; None is unknown."""


@dataclass(frozen=True)
class CostModel:
    """Use of every slot by bin, factors of length by prompt, and rates from the model cards.

    expected, worst: (4, B, S) generations, prompt, completion and verifier tokens; latency: (B, A) seconds.
    Slots are in the order of their arms; every arm has one or more.

    Every cost is linear in the products of a prompt's factors of length and its posterior over the bins (`loads`), so
    that all arms cost one product of matrices a unit.
    """

    n_arms: int
    slots: Slots
    models: Mapping[str, ModelCard]
    lengths: Lengths
    use: BinUse
    latency: Floats
    latency_worst: Floats
    _tables: dict[tuple[Unit, bool], Floats] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(cls, table: OutcomeTable, belief: Believed, membership: Floats) -> Self:
        """Learn from the use of every slot on the logged prompts."""
        lengths = Lengths.fit(table, belief, membership)
        training = Training(membership, belief.bins, lengths.factors(belief))
        names = {*table.slots.generator, *(verifier for verifier in table.slots.verifier if verifier)}
        return cls(
            len(table.arms),
            table.slots,
            {name: table.models[name] for name in sorted(names) if name in table.models},
            lengths,
            use_by_bin(table, training, lengths.generators),
            latency_by_bin(table, table.latency_seconds, training, lengths.generators),
            latency_by_bin(table, table.latency_worst_seconds, training, lengths.generators),
        )

    def __post_init__(self) -> None:
        arm = np.asarray(self.slots.arm)
        assert (np.diff(arm) >= 0).all(), "slots are in the order of their arms"
        assert len(set(arm.tolist())) == self.n_arms, "every arm spends on some slot"

    def loads(self, belief: Believed) -> Floats:
        """(P, 4, G, B) each factor of length times the chance of each bin."""
        factors = self.lengths.factors(belief)
        return np.asarray(factors[..., None] * belief.bins[:, None, None, :])

    def cost(self, loads: Floats, unit: Unit, *, worst: bool) -> Floats:
        """(P, A) cost in `unit` of the prompts of `loads`, NaN where unknown."""
        table = self.table(unit, worst=worst)
        if BUILT:
            return choosing.products(np.ascontiguousarray(loads), table)
        return np.asarray(loads.reshape(len(loads), -1).dot(table))

    def spent(self, loads: Floats, arm: int) -> tuple[Amounts, Amounts]:
        """What an arm spends on one prompt, from its `loads` (4, G, B): expected, worst; by `SPENT`."""
        total = np.zeros(2 * len(SPENT), dtype=np.float32)
        for slot in range(self._start[arm], self._start[arm + 1]):
            total += loads[:, self._generator[slot]].reshape(-1).dot(self._coefficients[slot])
        amounts = [None if isnan(x) else x for x in total.tolist()]
        return amounts[: len(SPENT)], amounts[len(SPENT) :]

    @cached_property
    def maker(self) -> ForecastMaker | None:
        """What makes forecasts of what arms spend in a compiled loop, where it was built."""
        if not BUILT:
            return None
        kinds = (Forecast, set(Forecast.model_fields), Cost, set(Cost.model_fields))
        return ForecastMaker(self._coefficients, self._start, self._generator, *kinds)

    @cached_property
    def _generator(self) -> Indices:
        place = {name: g for g, name in enumerate(self.lengths.generators)}
        return np.array([place[name] for name in self.slots.generator], dtype=np.intp)

    @cached_property
    def _start(self) -> Indices:
        """(A + 1,) the first slot of each arm, and the end of all."""
        return np.searchsorted(self.slots.arm, np.arange(self.n_arms + 1))

    @cached_property
    def _coefficients(self) -> Floats:
        """(S, 4 B, 14) of the loads of a slot's generator: what it spends by `SPENT`, expected, then worst."""
        verified = np.isin(self.slots.arm, self.slots.arm[[v is not None for v in self.slots.verifier]])
        out = np.zeros((len(self.slots), 2, len(SPENT), *self.use.expected.shape[:2]), dtype=np.float32)
        for kind, use in enumerate((self.use.expected, self.use.worst)):
            for part in range(len(PARTS)):
                out[:, kind, part, part] = use[part].T
            out[~verified, kind, PARTS.index("verifier_tokens")] = 0
            for unit in DERIVED:
                out[:, kind, SPENT.index(unit)] = self._by_slot(unit, worst=kind == 1)
        by_load = out.reshape(len(self.slots), 2 * len(SPENT), -1).transpose(0, 2, 1)
        return np.ascontiguousarray(by_load)

    def _by_slot(self, unit: Unit, *, worst: bool) -> Floats:
        """(S, 4, B) what one unit of each load costs; NaN where a rate or a count is unknown."""
        use = self.use.worst if worst else self.use.expected
        if unit == "latency_seconds":
            # All stages together, as long as the answers of the first: they run one after the other.
            out = np.zeros((len(self.slots), *use.shape[:2]), dtype=np.float32)
            out[self._start[:-1], PARTS.index("completion_tokens")] = (self.latency_worst if worst else self.latency).T
            return out
        rate = _stacked(rates(self.slots, self.models, unit))[:, None, :]
        with np.errstate(invalid="ignore"):
            return np.where(rate == 0, np.float32(0), rate * use).astype(np.float32).transpose(2, 0, 1)

    def table(self, unit: Unit, *, worst: bool) -> Floats:
        """(4 G B, A) what one unit of each load costs in every arm."""
        key = (unit, worst)
        if key not in self._tables:
            by_slot = self._by_slot(unit, worst=worst)
            n_parts, n_bins = by_slot.shape[1:]
            table = np.zeros((n_parts, len(self.lengths.generators), n_bins, self.n_arms), dtype=np.float32)
            np.add.at(table.transpose(1, 3, 0, 2), (self._generator, self.slots.arm), by_slot)
            self._tables[key] = table.reshape(-1, self.n_arms)
        return self._tables[key]


def _stacked(rate: Rates) -> Floats:
    return np.stack([getattr(rate, f.name) for f in fields(Rates)])
