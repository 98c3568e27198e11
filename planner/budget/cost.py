"""Cost of every arm, forecast for the prompt: use of each slot by bin, scaled by how long its samples will be.

An arm's mean cost will not do: hard prompts have longer answers, and cascades escalate on them, so that a policy that
moves its budget there would overspend by 10 to 20% (METHODS 6.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from planner.budget.lengths import Lengths
from planner.budget.use import BinUse, latency_by_bin, use_by_bin
from planner.core import ModelCard, Unit
from planner.curves.costs import Rates, rates
from planner.curves.table import OutcomeTable, Slots

if TYPE_CHECKING:
    from planner.budget.believed import Believed
    from planner.curves.logs import Floats

RATED: tuple[Unit, ...] = ("generations", "tokens", "flops", "usd")
PARTS = ("generations", "prompt_tokens", "completion_tokens", "verifier_tokens")
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class CostModel:
    """Use of every slot by bin, factors of length by prompt, and rates from the model cards.

    expected, worst: (4, B, S) generations, prompt, completion and verifier tokens; latency: (B, A) seconds.
    Slots are in the order of their arms; every arm has one or more.
    """

    n_arms: int
    slots: Slots
    models: Mapping[str, ModelCard]
    lengths: Lengths
    use: BinUse
    latency: Floats
    latency_worst: Floats
    _priced: dict[tuple[Unit, bool], Floats] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(cls, table: OutcomeTable, belief: Believed, membership: Floats) -> Self:
        """Learn from the use of every slot on the logged prompts."""
        lengths = Lengths.fit(table, belief, membership)
        factors = lengths.factors(belief)
        names = {*table.slots.generator, *(verifier for verifier in table.slots.verifier if verifier)}
        return cls(
            len(table.arms),
            table.slots,
            {name: table.models[name] for name in sorted(names) if name in table.models},
            lengths,
            use_by_bin(table, membership, factors, lengths.generators),
            latency_by_bin(table, table.latency_seconds, membership, factors, lengths.generators),
            latency_by_bin(table, table.latency_worst_seconds, membership, factors, lengths.generators),
        )

    def __post_init__(self) -> None:
        place = {name: g for g, name in enumerate(self.lengths.generators)}
        arm = np.asarray(self.slots.arm)
        start = np.searchsorted(arm, np.arange(self.n_arms))
        assert (np.diff(arm) >= 0).all(), "slots are in the order of their arms"
        assert len(set(arm.tolist())) == self.n_arms, "every arm spends on some slot"
        derived = {
            "_generator": np.array([place[name] for name in self.slots.generator], dtype=np.intp),
            "_start": start,
            "_n_slots": np.diff(np.append(start, len(self.slots))),
            "_verified": np.isin(np.arange(self.n_arms), arm[[v is not None for v in self.slots.verifier]]),
            "_rate_table": {unit: _stacked(rates(self.slots, self.models, unit)) for unit in RATED},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    _generator: Any = field(init=False, repr=False, compare=False)
    _start: Any = field(init=False, repr=False, compare=False)
    _n_slots: Any = field(init=False, repr=False, compare=False)
    _verified: Any = field(init=False, repr=False, compare=False)
    _rate_table: dict[str, Floats] = field(init=False, repr=False, compare=False)

    def cost(self, belief: Believed, factors: Floats, unit: Unit, *, worst: bool) -> Floats:
        """(P, A) cost in `unit`, NaN where unknown; `factors` are those of `lengths` for the prompts."""
        if unit == "latency_seconds":
            by_bin = self.latency_worst if worst else self.latency
            first = self._generator[self._start]
            return np.asarray(belief.bins @ by_bin * factors[:, 2, first])
        priced = self._price(unit, worst=worst)
        total = np.zeros((len(factors), len(self.slots)), dtype=np.float32)
        for part, by_bin in enumerate(priced):
            if by_bin.any():  # NaN counts: what is unknown stays so
                spent = belief.bins @ by_bin
                total += spent if part == 0 else spent * factors[:, part, self._generator]
        if len(self.slots) == self.n_arms:
            return total
        return np.asarray(np.add.reduceat(total, self._start, axis=1))

    def parts(
        self, belief: Believed, factors: Floats, rows: Indices, arms: Indices, *, worst: bool
    ) -> dict[str, Floats]:
        """Use of each of `arms` on the prompt of `rows` beside it, and its cost in derived units; (pairs,) each."""
        n_slots = self._n_slots[arms]
        pair = np.repeat(np.arange(len(arms)), n_slots)
        begin = np.cumsum(n_slots) - n_slots
        slot = self._start[arms][pair] + np.arange(len(pair)) - begin[pair]
        row = rows[pair]
        use = (self.use.worst if worst else self.use.expected)[:, :, slot]
        spent = np.einsum("kb,ubk->uk", belief.bins[row], use) * factors[row, :, self._generator[slot]].T
        amounts = np.add.reduceat(spent, begin, axis=1)
        out = dict(zip(PARTS, amounts, strict=True))
        out["verifier_tokens"] = np.where(self._verified[arms], out["verifier_tokens"], 0)
        for unit in ("flops", "usd"):
            rate = self._rate_table[unit][:, slot]
            priced = np.where(rate == 0, 0, rate * spent).sum(axis=0)
            out[unit] = np.add.reduceat(priced, begin)
        by_bin = (self.latency_worst if worst else self.latency)[:, arms]
        first = self._generator[self._start[arms]]
        out["latency_seconds"] = np.einsum("kb,bk->k", belief.bins[rows], by_bin) * factors[rows, 2, first]
        return out

    def _price(self, unit: Unit, *, worst: bool) -> Floats:
        """(4, B, S) use by bin times the rates of a unit."""
        key = (unit, worst)
        if key not in self._priced:
            use = self.use.worst if worst else self.use.expected
            rate = self._rate_table[unit][:, None, :]
            with np.errstate(invalid="ignore"):
                self._priced[key] = np.where(rate == 0, np.float32(0), rate * use).astype(np.float32)
        return self._priced[key]


def _stacked(rate: Rates) -> Floats:
    return np.stack([getattr(rate, f.name) for f in fields(Rates)])
