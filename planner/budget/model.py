"""The budget model: from logged outcomes and believed difficulty to forecasts of every arm."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from planner.budget.cells import Cells, count, fit_cells
from planner.budget.cost import CostModel
from planner.budget.detail import EDGE, N_FOLDS, detail_data, fit_detail
from planner.budget.forecasts import Forecasts, Support
from planner.budget.lengths import LEAST_FACTOR, LEAST_PROMPT_FACTOR, MOST_FACTOR, Lengths
from planner.budget.use import BinUse
from planner.budget.weights import correlations, effective, own_correlations
from planner.compiled import BUILT
from planner.core import Arm, ModelCard
from planner.curves.table import OutcomeTable, Slots
from planner.errors import NothingGraded

if BUILT:
    from planner.compiled.choosing import Forecaster
if TYPE_CHECKING:
    from planner.budget.believed import Believed
    from planner.budget.strengths import Doubles
    from planner.curves.logs import Floats

LEAST_DETAIL_PROMPTS, MOST_DETAIL_OUTCOMES = 1000, 2_000_000
ROUGH_PRIOR = 4.0  # outcomes of its own mean that every cell is given before weights are known


class BudgetModel:
    """Expected accuracy and cost of every arm, by prompt.

    Learned: `arms_`, `accuracy_` and `variance_` (B, A) of the cells, `detail_` (F + 1, A) or None where the text
    tells nothing beyond difficulty, `leverage_` (B, B) of a posterior, `spread_` (A,) of outcomes, `costs_`,
    `support_`.
    """

    def __init__(self, *, random_state: int = 0) -> None:
        self.random_state = random_state

    arms_: tuple[Arm, ...]
    accuracy_: Floats
    variance_: Floats
    detail_: Floats | None
    leverage_: Floats
    spread_: Floats
    costs_: CostModel
    support_: Support

    def fit(self, table: OutcomeTable, belief: Believed, membership: Floats) -> Self:
        """Learn from P prompts: `belief` of them out of fold, `membership` (P, B) in the bins from all their outcomes.

        Raises NotEnoughData where no arm has a graded outcome.
        """
        vars(self).pop("_compiled", None)  # of what was learned before
        table = _graded_arms(table)
        outcome = table.outcome.astype(np.float64)
        n_samples = np.where(np.isfinite(outcome), table.weight, 0.0).astype(np.float64)
        known_bins = membership.astype(np.float64)
        cells = _cells(table, outcome, n_samples, known_bins)
        self.arms_ = table.arms
        self.accuracy_ = cells.accuracy.astype(np.float32)
        self.variance_ = cells.variance.astype(np.float32)
        self.leverage_ = _leverage(belief.bins.astype(np.float64))
        self.spread_ = _spread(outcome, (belief.bins @ self.accuracy_).astype(np.float64))
        self.detail_ = self._learn_detail(belief, outcome, n_samples)
        self.costs_ = CostModel.fit(table, belief, membership)
        self.support_ = Support(
            (n_samples > 0).sum(axis=0).astype(np.int32), n_samples.sum(axis=0).astype(np.int32), table.extrapolated
        )
        return self

    def forecast(self, belief: Believed) -> Forecasts:
        """Forecasts of every arm for the prompts of `belief`."""
        if self._compiled is not None:
            accuracy, stderr, loads = self._compiled.forecast(belief.bins, belief.bounded, belief.n_characters)
            return Forecasts(self.arms_, accuracy, stderr, self.support_, loads, self.costs_)
        bins = belief.bins
        # `dot` and `@` give the same; for the small matrices of a single prompt `@` takes twice as long.
        accuracy = bins.dot(self.accuracy_)
        sureness = (bins.dot(self.leverage_) * bins).sum(axis=1, keepdims=True)
        outcomes = sureness * self.spread_ * (accuracy * (1 - accuracy))
        stderr = np.sqrt(np.maximum(np.square(bins).dot(self.variance_), outcomes))
        if self.detail_ is not None:
            accuracy = np.minimum(np.maximum(accuracy, EDGE), 1 - EDGE)
            # sigmoid(logit p + d) without logarithms: p e^d / (1 - p + p e^d)
            raised = accuracy * np.exp(belief.bounded.dot(self.detail_[1:]) + self.detail_[0])
            accuracy = raised / (1 - accuracy + raised)
        return Forecasts(self.arms_, accuracy, stderr, self.support_, self.costs_.loads(belief), self.costs_)

    @cached_property
    def _compiled(self) -> Forecaster | None:
        """What forecasts in loops of C, if it was built."""
        if not BUILT:
            return None
        lengths = self.costs_.lengths
        return Forecaster(
            self.accuracy_,
            self.variance_,
            self.leverage_,
            self.spread_,
            self.detail_,
            EDGE,
            lengths.weights,
            lengths.slope,
            lengths.centre,
            lengths.prompt_share,
            LEAST_PROMPT_FACTOR,
            LEAST_FACTOR,
            MOST_FACTOR,
        )

    def _learn_detail(self, belief: Believed, outcome: Doubles, n_samples: Doubles) -> Floats | None:
        if len(outcome) < 2 * N_FOLDS or not belief.bounded.size:
            return None
        # Where arms are many, part of the prompts will do: the strengths are shared by all arms.
        rows = np.random.default_rng([self.random_state, 11]).permutation(len(outcome))
        rows = rows[: max(LEAST_DETAIL_PROMPTS, MOST_DETAIL_OUTCOMES // outcome.shape[1])]
        outcome, n_samples = outcome[rows], n_samples[rows]
        base = (belief.bins[rows] @ self.accuracy_).astype(np.float64)
        weight = effective(n_samples, correlations(outcome, n_samples, base))
        fold = np.arange(len(rows)) % N_FOLDS
        weights = fit_detail(detail_data(belief.bounded[rows].astype(np.float64), outcome, weight, base, fold))
        return None if weights is None else weights.astype(np.float32)

    def to_state(self) -> dict[str, Any]:
        """Plain values and arrays, from which `from_state` makes an equal model."""
        costs = self.costs_
        return {
            "random_state": self.random_state,
            "arms": [arm.model_dump(mode="json") for arm in self.arms_],
            "accuracy": self.accuracy_,
            "variance": self.variance_,
            "leverage": self.leverage_,
            "spread": self.spread_,
            "detail": self.detail_,
            "support": {f.name: getattr(self.support_, f.name) for f in fields(Support)},
            "slots": {
                "arm": costs.slots.arm,
                "generator": list(costs.slots.generator),
                "verifier": list(costs.slots.verifier),
                "pool": costs.slots.pool,
            },
            "written": costs.slots.written,
            "models": {name: card.model_dump(mode="json") for name, card in costs.models.items()},
            "lengths": costs.lengths.to_state(),
            "use": vars(costs.use),
            "latency": costs.latency,
            "latency_worst": costs.latency_worst,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The inverse of `to_state`."""
        model = cls(random_state=state["random_state"])
        model.arms_ = tuple(Arm.model_validate(arm) for arm in state["arms"])
        model.accuracy_, model.variance_, model.leverage_ = state["accuracy"], state["variance"], state["leverage"]
        model.detail_, model.spread_ = state["detail"], state["spread"]
        model.support_ = Support(**state["support"])
        slots = state["slots"]
        names = {name: tuple(slots[name]) for name in ("generator", "verifier")}
        # an older planner priced all that a judge takes as if it read it
        written = state.get("written", np.zeros(len(slots["arm"]), dtype=np.float32))
        model.costs_ = CostModel(
            len(model.arms_),
            Slots(**{**slots, **names, "written": written}),
            {name: ModelCard.model_validate(card) for name, card in state["models"].items()},
            Lengths.from_state(state["lengths"]),
            BinUse(**state["use"]),
            state["latency"],
            state["latency_worst"],
        )
        return model


def _graded_arms(table: OutcomeTable) -> OutcomeTable:
    graded = table.graded_arms()
    if not len(graded):
        raise NothingGraded
    in_order = (np.diff(table.slots.arm) >= 0).all()
    return table if len(graded) == len(table.arms) and in_order else table.take_arms(graded)


def _cells(table: OutcomeTable, outcome: Doubles, n_samples: Doubles, membership: Doubles) -> Cells:
    rough = count(outcome, np.minimum(n_samples, 1.0), membership)
    mean = rough.right.sum(axis=0) / np.maximum(rough.n.sum(axis=0), 1e-9)
    base = membership @ ((rough.right + ROUGH_PRIOR * mean) / (rough.n + ROUGH_PRIOR))
    own = effective(n_samples, own_correlations(outcome, n_samples, base))
    whole = effective(n_samples, correlations(outcome, n_samples, base))
    return fit_cells(
        table.arms, _generations(table), count(outcome, own, membership), count(outcome, whole, membership)
    )


def _generations(table: OutcomeTable) -> Doubles:
    """Mean generations (A,) of each arm; by its definition where none is logged."""
    known = np.isfinite(table.expected.generations)
    total = np.where(known, table.expected.generations, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    by_arm = np.bincount(table.slots.arm, total, minlength=len(table.arms))
    named = np.array([arm.breadth * arm.depth for arm in table.arms], dtype=np.float64)
    return np.where(by_arm > 0, by_arm, named)


def _leverage(bins: Doubles) -> Floats:
    """(B, B) whose quadratic form in a posterior is one over the number of logged prompts like it.

    The text tells a prompt's bin only in part, and how often prompts like it fall into each bin was learned from so
    many: the forecast is as uncertain as a mean of outcomes over them (the leverage of a regression).
    """
    gram = bins.T @ bins + np.eye(bins.shape[1])
    return np.asarray(np.linalg.inv(gram), dtype=np.float32)


def _spread(outcome: Doubles, forecast: Doubles) -> Floats:
    """(A,) variance of outcomes about their forecast, as a share of that of a single run, p (1 - p)."""
    known = np.isfinite(outcome)
    residual = np.where(known, np.nan_to_num(outcome) - forecast, 0.0) ** 2
    single = np.where(known, forecast * (1 - forecast), 0.0)
    share = residual.sum(axis=0) / np.maximum(single.sum(axis=0), 1e-9)
    return np.asarray(np.clip(share, 0.02, 1.0), dtype=np.float32)
