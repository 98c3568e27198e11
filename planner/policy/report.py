"""The held-out report: plain numbers that print, plot and store as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from planner.core.base import Frozen


class Interval(Frozen):
    """A figure and its 90% interval by paired bootstrap over prompts."""

    value: float
    low: float
    high: float


class Line(Frozen):
    """One contender at one budget.

    gain: accuracy over the mixture hull of single arms at the budget, or at the realised cost where that is higher, in
    points; `gain_fixed` over the hull of arms that do not adapt. regret: points below the oracle of the same cost.
    """

    contender: str
    budget: str
    budget_value: float
    n_prompts: int
    accuracy: float
    stderr: float
    cost: float
    hull: float | None = None
    gain: Interval | None = None
    gain_fixed: Interval | None = None
    regret: float | None = None


class Multiple(Frozen):
    """How much less the policy spends for the accuracy of a baseline: `times` = its cost / the policy's."""

    baseline: str
    accuracy: float
    cost: float
    policy_cost: float | None
    times: float | None


class Choice(Frozen):
    """How often arms of a shape are chosen in a bin at a budget; bin 1 is the easiest by the prompts' own outcomes.

    arm: their label, without the thresholds in which cascades of the folds differ.
    """

    budget: str
    bin: int
    arm: str
    share: float
    accuracy: float | None


class Shape(Frozen):
    """Accuracy of one breadth x depth of a generator that revises, over all held-out prompts and by bin."""

    generator: str
    selection: str
    generations: int
    breadth: int
    depth: int
    accuracy: float | None
    accuracy_by_bin: tuple[float | None, ...]


class Coverage(Frozen):
    """Share of (predicted bin, arm) groups of held-out prompts whose mean lies within its 90% interval.

    n_prompt_groups: the (fold, predicted bin) groups of prompts among them. Those of one such group share its prompts,
    and tell little more than each other.
    """

    n_groups: int
    n_prompt_groups: int = 0
    share: float | None


class EvaluationReport(Frozen):
    """What the policy is worth on prompts that it was not fitted on; five folds by default.

    kept_of_oracle_gain: share of the gain of knowing the true bins, over knowing nothing, that text alone keeps.
    difficulty: scores of the difficulty predictor and its baselines. warnings: what was left out, or cannot be told,
    and why.
    """

    unit: str
    n_prompts: int
    n_folds: int
    seed: int
    reference: str
    lines: tuple[Line, ...]
    multiples: tuple[Multiple, ...] = ()
    choices: tuple[Choice, ...] = ()
    shapes: tuple[Shape, ...] = ()
    kept_of_oracle_gain: float | None = None
    coverage: Coverage | None = None
    difficulty: dict[str, Any] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def line(self, contender: str, budget: str) -> Line | None:
        """The line of one contender at one budget."""
        return next((x for x in self.lines if x.contender == contender and x.budget == budget), None)

    def mean_gain(self, contender: str = "policy") -> float | None:
        """Mean over budgets of the gain over the mixture hull, in points."""
        gains = [x.gain.value for x in self.lines if x.contender == contender and x.gain is not None]
        return sum(gains) / len(gains) if gains else None
