"""What the policy is worth on prompts that it was not fitted on, against what anyone can have (METHODS 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from planner.core import UNITS, Budget, Unit
from planner.core.arguments import check_whole, listed, names
from planner.curves.costs import logged_cost
from planner.curves.logs import Logs
from planner.curves.table import OutcomeTable
from planner.difficulty import Belief
from planner.errors import InvalidInput, NotEnoughData
from planner.policy.baselines import YARDSTICKS, Mask, families, fixed_arms
from planner.policy.by_bin import difficulty_of, shapes_by_bin
from planner.policy.comparable import comparable, why_left_out
from planner.policy.fit import fit_policy
from planner.policy.folds import check_seed, fold_of_prompts
from planner.policy.held_out import HeldOut, Played, play, with_bins, without_text
from planner.policy.played_budgets import default_budgets, kept, named, paid, primary_unit, unit_of
from planner.policy.probing import ProbeSource
from planner.policy.report import EvaluationReport
from planner.policy.restrict import unknown_cost
from planner.policy.summary import Bootstrap, coverage, kept_share, lines_of, multiples_of, not_compared, top_choices
from planner.policy.yardstick import MixtureYardstick, joined, oracle, single_arm

FEWEST_PROMPTS = 20


@dataclass(frozen=True)
class Evaluation:
    """Everything that was played on the held-out prompts, fold by fold, and the report made of it.

    played: by contender, then by budget. rows: prompts of the logs in the order of the plays. table: fixed arms on all
    prompts. judged: rows of the prompts that can be compared, which the folds are made of.
    """

    folds: tuple[HeldOut, ...]
    budgets: Mapping[str, Budget]
    played: Mapping[str, Mapping[str, Played]]
    hull: MixtureYardstick
    fixed_hull: MixtureYardstick
    report: EvaluationReport
    rows: NDArray[np.intp]
    table: OutcomeTable
    judged: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))


def evaluate(
    logs: Logs,
    *,
    folds: int = 5,
    budgets: Sequence[Budget] | None = None,
    seed: int = 0,
    unit: Unit | None = None,
    probes: Sequence[int] = (4,),
    reference: str | None = None,
    metadata_features: Sequence[str] = (),
    cascades: bool = True,
    n_played: int | None = None,
    progress: Callable[[str], object] = lambda _: None,
) -> Evaluation:
    """Play the policy and its baselines on held-out prompts, `folds` times, each prompt held out once.

    `n_played` stops after so many folds: where there are many prompts, one part held out says enough.

    Everything that is chosen (features, bins, cells, cascades and their thresholds, hulls, exchange rates) is chosen
    on the other folds. `budgets` default to eight averages over traffic, evenly spaced in log between the cheapest and
    the dearest arm of the hull. `progress` is told after each fold.

    Raises NotEnoughData where fewer than 20 prompts have a graded outcome, InfeasibleBudget where no cost is known
    in the unit, naming what the model cards lack, or no budget can be kept, naming the least that can, and InvalidInput
    for arguments that cannot be used, and where all is free in the unit that was asked for without budgets.
    """
    from planner.curves.tabulation import tabulate  # noqa: PLC0415 - replay is no part of serving

    check_seed(seed)
    budgets = None if budgets is None else listed("budgets", budgets, Budget, "Budget(mean_tokens=2000)")
    if any(budget.is_empty for budget in budgets or ()):
        raise InvalidInput("budgets: one of them limits nothing: give each a ceiling or an average")
    if unit is not None and unit not in UNITS:
        raise InvalidInput(f"unit: expected one of {', '.join(UNITS)}, got {unit!r:.200}")
    for k in listed("probes", probes, int, "4"):
        check_whole("probes", k, 1)
    metadata_features = names("metadata_features", metadata_features)
    table = tabulate(logs, seed=seed, cascades=False)
    fold = fold_of_prompts(logs.prompts, folds, seed)
    has_outcome = np.isfinite(table.outcome).any(axis=1)
    fewest = max(FEWEST_PROMPTS, folds)
    if has_outcome.sum() < fewest:
        raise NotEnoughData(f"{has_outcome.sum()} prompts have a graded outcome: {folds} folds need {fewest} of them")
    unit = unit or (unit_of(budgets) if budgets else None) or primary_unit(table)
    cost = logged_cost(table, unit)
    if not np.isfinite(cost[np.isfinite(table.outcome)]).any():
        everything = np.ones(len(table.arms), dtype=bool)
        raise unknown_cost(table.arms, everything, unit, table.models, fitted=False)
    if not budgets and not len(paid(table, unit)):
        raise InvalidInput(f"nothing that is logged costs anything in {unit}: ask for another unit, or give budgets")
    judged, left_out = has_outcome, list[str]()
    beside = comparable(table.outcome, cost)
    if fewest <= beside.sum() < has_outcome.sum():
        left_out = [why_left_out(table, np.flatnonzero(has_outcome & ~beside), int(has_outcome.sum()))]
        judged = beside
    held, rows = [], []
    for number in range(n_played or folds):
        train, test = np.flatnonzero((fold != number) & judged), np.flatnonzero((fold == number) & judged)
        if not len(test):  # of fewer texts than folds
            continue
        full = with_cascades(logs, table, train, seed) if cascades else table
        known = full.take_prompts(train)
        # None of the training prompts may have an outcome of an arm that was carried out a few times only.
        graded = known.graded_arms()
        full, known = full.take_arms(graded), known.take_arms(graded)
        policy = fit_policy(known, logs=logs, seed=seed, reference=reference, metadata_features=metadata_features)
        held.append(HeldOut.of(policy, known, full.take_prompts(test), unit))
        rows.append(test)
        progress(f"fold {number + 1} of {n_played or folds}")
    played = _play_all(logs, table, tuple(held), rows, budgets, unit, probes, seed)
    warnings = (*left_out, *played.report.warnings)
    return replace(
        played, report=played.report.model_copy(update={"warnings": warnings}), judged=np.flatnonzero(judged)
    )


def with_cascades(logs: Logs, table: OutcomeTable, train: NDArray[np.intp], seed: int) -> OutcomeTable:
    """The table with the cascades that the training prompts make worth while."""
    from planner.curves.cascade import cascade_table  # noqa: PLC0415 - replay is no part of serving
    from planner.curves.concatenation import concatenate_arms  # noqa: PLC0415

    found = cascade_table(logs, seed=seed, rows=train)
    return concatenate_arms([table, found]) if found.arms else table


def _play_all(
    logs: Logs,
    table: OutcomeTable,
    folds: tuple[HeldOut, ...],
    rows: list[NDArray[np.intp]],
    asked: Sequence[Budget] | None,
    unit: Unit,
    probes: Sequence[int],
    seed: int,
) -> Evaluation:
    every = [np.ones(len(fold.policy.arms), dtype=bool) for fold in folds]
    fixed = [fixed_arms(fold.policy.arms) for fold in folds]
    hull, fixed_hull = MixtureYardstick.of(folds, every), MixtureYardstick.of(folds, fixed)
    budgets, warnings = kept(folds, asked) if asked else (named(default_budgets(folds, hull, table, unit)), [])
    beliefs = [fold.policy.believe(fold.prompts) for fold in folds]
    played = _policies(logs, folds, beliefs, rows, budgets, probes, seed)
    hulls, fixed_hulls = (
        {
            label: MixtureYardstick.within(folds, masks, budget.ceilings) if budget.ceilings else whole.if_any
            for label, budget in budgets.items()
        }
        for whole, masks in ((hull, every), (fixed_hull, fixed))
    )
    played |= _baselines(folds, budgets, hulls, fixed_hulls)
    bootstrap = Bootstrap.of(sum(len(part) for part in rows), seed)
    members = [fold.policy.predictor.membership(fold.table) for fold in folds]
    lines = lines_of(played, budgets, unit, hulls, fixed_hulls, bootstrap)
    report = EvaluationReport(
        unit=unit,
        n_prompts=sum(len(part) for part in rows),
        n_folds=len(folds),
        seed=seed,
        reference=folds[0].policy.predictor.reference_,
        lines=lines,
        multiples=multiples_of(folds, played["policy"]),
        choices=top_choices(folds, played["policy"], members),
        shapes=shapes_by_bin(folds, members),
        kept_of_oracle_gain=kept_share(played),
        coverage=coverage(folds, beliefs),
        difficulty=difficulty_of(folds),
        warnings=(*warnings, *not_compared(lines)),
    )
    return Evaluation(folds, budgets, played, hull, fixed_hull, report, np.concatenate(rows), table)


def _policies(
    logs: Logs,
    folds: tuple[HeldOut, ...],
    beliefs: list[Belief],
    rows: list[NDArray[np.intp]],
    budgets: Mapping[str, Budget],
    probes: Sequence[int],
    seed: int,
) -> dict[str, dict[str, Played]]:
    parts: dict[str, list[dict[str, Played]]] = {}

    def add(name: str, plays: dict[str, Played]) -> None:
        parts.setdefault(name, []).append(plays)

    for fold, belief, test in zip(folds, beliefs, rows, strict=True):
        policy = fold.policy
        add("policy", play(fold, belief, budgets, seed=seed))
        membership = policy.predictor.membership_
        traffic = with_bins(policy.predictor.belief_, membership)
        knowing = with_bins(belief, policy.predictor.membership(fold.table))
        add("policy, oracle bins", play(fold, knowing, budgets, sample=traffic, seed=seed))
        blind = without_text(policy.sample, policy.sample)
        add("policy, no text", play(fold, without_text(belief, policy.sample), budgets, sample=blind, seed=seed))
        source = ProbeSource.of(logs, policy.predictor.reference_)
        for k in probes if source is not None else ():
            assert source is not None
            add(f"policy, {k} probes", _probed(fold, belief, source, test, k, budgets, seed))
    return {
        name: {budget: joined([plays[budget] for plays in folded]) for budget in budgets}
        for name, folded in parts.items()
    }


def _probed(
    fold: HeldOut,
    belief: Belief,
    source: ProbeSource,
    test: NDArray[np.intp],
    k: int,
    budgets: Mapping[str, Budget],
    seed: int,
) -> dict[str, Played]:
    predictor = fold.policy.predictor
    place = {prompt: i for i, prompt in enumerate(source.logs.prompts.ids)}
    train = [place[prompt] for prompt in fold.policy.sample_ids]
    drawn = source.draw(test, k, seed)
    sharper = predictor.sharpen(belief, drawn)
    traffic = predictor.sharpen(fold.policy.sample, source.draw(train, k, seed))
    # A prompt with too few samples to draw is answered without probes, and pays for none.
    probed = np.array([len(own) > 0 for own in drawn])
    cost = {unit: np.where(probed, source.cost(fold.table, k, unit), np.float32(0)) for unit in UNITS}
    return play(fold, sharper, budgets, sample=traffic, extra_cost=cost, seed=seed)


def _baselines(
    folds: tuple[HeldOut, ...],
    budgets: Mapping[str, Budget],
    hulls: Mapping[str, MixtureYardstick | None],
    fixed_hulls: Mapping[str, MixtureYardstick | None],
) -> dict[str, dict[str, Played]]:
    masks: list[Mapping[str, Mask]] = [families(fold.table, fold.policy.predictor.reference_) for fold in folds]
    names = [name for name in masks[0] if all(name in mask for mask in masks)]
    n_prompts = sum(len(fold.table.prompts) for fold in folds)
    out: dict[str, dict[str, Played]] = {name: {} for name in (*names, *YARDSTICKS)}
    for label, budget in budgets.items():
        value = budget.mean[1] if budget.mean is not None else np.inf
        fits = [fold.fitting(budget.ceilings) for fold in folds]
        for name in names:
            allowed = [mask[name] & fit for mask, fit in zip(masks, fits, strict=True)]
            out[name][label] = joined(
                [single_arm(fold, mask, value) for fold, mask in zip(folds, allowed, strict=True)]
            )
        for name, by_budget in (("mixture hull", hulls), ("mixture hull, fixed arms", fixed_hulls)):
            hull = by_budget[label]
            out[name][label] = Played.nothing(n_prompts) if hull is None else hull.nominal(value)
        out["oracle"][label] = oracle(folds, value, budget.ceilings)
    return out
