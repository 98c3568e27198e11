"""Held-out prompts under one policy: what it chooses at each budget, what that was worth and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.core import Budget, Unit
from planner.curves.costs import logged_cost
from planner.curves.logs import Floats
from planner.curves.table import OutcomeTable
from planner.difficulty import Belief
from planner.errors import InfeasibleBudget
from planner.policy.baselines import Mask, Means
from planner.policy.comparable import known_mean
from planner.policy.policy import Policy
from planner.policy.prompt import PromptInput
from planner.policy.restrict import SLACK
from planner.texts.kept import HashedText


@dataclass(frozen=True)
class Played:
    """One contender at one budget on P prompts: outcome and cost of its choices, NaN where nothing is known; (P,).

    arm: (P,) the arm chosen, -1 where none fits (or where a mixture has no single arm).
    """

    outcome: Floats
    cost: Floats
    arm: NDArray[np.intp]

    @classmethod
    def nothing(cls, n_prompts: int) -> Played:
        """Of a contender that cannot keep the budget."""
        unknown = np.full(n_prompts, np.nan, dtype=np.float32)
        return cls(unknown, unknown, np.full(n_prompts, -1, dtype=np.intp))


@dataclass(frozen=True)
class HeldOut:
    """One fold: a policy fitted on the other prompts, and the outcomes of its own.

    cost: logged cost in `unit` of every arm on the held-out prompts, (P, A). train: means over the training prompts,
    whose outcomes are `known`.
    """

    policy: Policy
    table: OutcomeTable
    unit: Unit
    cost: Floats
    train: Means
    known: OutcomeTable

    @classmethod
    def of(cls, policy: Policy, train: OutcomeTable, test: OutcomeTable, unit: Unit) -> HeldOut:
        """Work out costs and the training means."""
        return cls(
            policy, test, unit, logged_cost(test, unit), Means.of(train.outcome, logged_cost(train, unit)), train
        )

    @property
    def prompts(self) -> list[PromptInput]:
        """The held-out prompts, as a caller would give them."""
        p = self.table.prompts
        return [
            PromptInput("", prompt_id, dataset, metadata, hashed=text)
            if isinstance(text, HashedText)
            else PromptInput(text or "", prompt_id, dataset, metadata)
            for prompt_id, text, dataset, metadata in zip(p.ids, p.texts, p.datasets, p.metadata, strict=True)
        ]

    def fitting(self, ceilings: Mapping[Unit, float]) -> Mask:
        """(A,) arms whose worst cost, mean over the training prompts, is known and within every ceiling."""
        fits = np.ones(len(self.known.arms), dtype=bool)
        for unit, ceiling in ceilings.items():
            worst = Means.of(self.known.outcome, logged_cost(self.known, unit, worst=True)).cost
            fits &= worst <= ceiling * SLACK
        return fits

    def take_up(self, arm: NDArray[np.intp], extra_cost: Floats | float = 0.0) -> Played:
        """Outcome and logged cost of the chosen arms."""
        rows = np.arange(len(arm))
        outcome = np.where(arm >= 0, self.table.outcome[rows, np.maximum(arm, 0)], np.nan)
        cost = np.where(arm >= 0, self.cost[rows, np.maximum(arm, 0)], np.nan) + extra_cost
        known = np.isfinite(outcome) & np.isfinite(cost)
        return Played(np.where(known, outcome, np.nan), np.where(known, cost, np.nan), arm)


def play(
    fold: HeldOut,
    belief: Belief,
    budgets: Mapping[str, Budget],
    *,
    sample: Belief | None = None,
    extra_cost: Mapping[Unit, Floats] | None = None,
    seed: int = 0,
) -> dict[str, Played]:
    """What the policy does with `belief` of the held-out prompts at every budget.

    `sample` stands for traffic when exchange rates are solved (default: the policy's own). `extra_cost`, (P,) by unit,
    is spent before the choice, on probes: it is charged, and its mean taken off what every limit leaves. A limit in
    a unit in which it is not known cannot be kept.
    """
    policy = fold.policy if sample is None else replace(fold.policy, sample=sample)
    forecasts = policy.budget_model.forecast(belief)
    prompts = fold.prompts
    extra = {} if extra_cost is None else extra_cost
    charged = np.nan_to_num(extra[fold.unit]) if extra else 0.0
    spent = {unit: known_mean(cost) for unit, cost in extra.items()}
    out = {}
    for name, budget in budgets.items():
        left = less(budget, spent)
        if left is None:
            out[name] = Played.nothing(len(prompts))
            continue
        try:
            decisions = policy.decide(forecasts, belief, left, prompts, seed=seed)
        except InfeasibleBudget:
            out[name] = Played.nothing(len(prompts))
            continue
        arm = np.where(decisions.feasible, decisions.arm, -1)
        out[name] = fold.take_up(arm, charged)
    return out


def less(budget: Budget, spent: Mapping[Unit, float]) -> Budget | None:
    """The budget after what was `spent` by unit, NaN where unknown; None where nothing can be known to be left."""
    if not spent:
        return budget
    limits = {f"max_{unit}": value - spent[unit] for unit, value in budget.ceilings.items()}
    if budget.mean is not None:
        unit, value = budget.mean
        limits[f"mean_{unit}"] = value - spent[unit]
    return Budget(**limits) if all(value > 0 for value in limits.values()) else None


def with_bins(belief: Belief, bins: Floats) -> Belief:
    """The same belief with another posterior over bins, taken as well founded."""
    return replace(belief, bins=bins.astype(np.float32), in_distribution=np.ones(len(belief), dtype=bool))


def without_text(belief: Belief, sample: Belief) -> Belief:
    """What would be believed of prompts of which nothing is known."""
    bins = np.broadcast_to(sample.bins.mean(axis=0), belief.bins.shape)
    pass_rate = np.full(len(belief), sample.pass_rate.mean(), dtype=np.float32)
    features = np.zeros_like(belief.features)
    return replace(with_bins(belief, bins), pass_rate=pass_rate, features=features)
