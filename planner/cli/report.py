"""The held-out report as tables that people read, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.cli.text import UNKNOWN, amount, columns, figure

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from planner.policy.report import Coverage, EvaluationReport, Interval, Line

WORTH_SHOWING = 0.2
"""Least share of a bin's prompts that an arm must have to be shown."""
FEW_GROUPS = 5
"""Intervals that are checked on fewer groups of prompts may all be right or wrong by the same chance."""
NEARLY_ALL = 0.95
"""Share of the prompts from which on it is not said how many an accuracy is of."""
UNIT_NAMES = {"flops": "FLOPs", "usd": "USD"}


def report_text(report: EvaluationReport, baselines: Collection[str] = ()) -> str:
    """Accuracy by budget, what is chosen by bin, cost at equal accuracy, difficulty and coverage."""
    unit = UNIT_NAMES.get(report.unit, report.unit)
    folds = f"{report.n_folds} folds by prompt" if report.n_folds > 1 else "one part of the prompts held out"
    title = (
        f"held-out report: {report.n_prompts:,} prompts, {folds}, "
        f"cost in {unit} a prompt, reference generator {report.reference}"
    )
    parts = [
        title,
        _accuracy(report, baselines),
        _gains(report),
        _choices(report),
        _shapes(report),
        _multiples(report),
        _difficulty(report),
        _trust(report),
    ]
    return "\n\n".join(part for part in parts if part)


def write_plot(report: EvaluationReport, path: Path, baselines: Collection[str] = ()) -> None:
    """Accuracy against realised cost, one line a contender. Raises InvalidInput where matplotlib is missing."""
    from planner.cli.plot import Curve, write_curves

    curves = [
        Curve(name, [line.cost for line in lines], [line.accuracy for line in lines], emphasised=name == "policy")
        for name, lines in _by_contender(report, baselines).items()
    ]
    write_curves(curves, path, unit=UNIT_NAMES.get(report.unit, report.unit), title="Accuracy on held-out prompts")


def _by_contender(report: EvaluationReport, baselines: Collection[str]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in report.lines:
        if not baselines or line.contender.startswith("policy") or line.contender in baselines:
            found.setdefault(line.contender, []).append(line)
    return found


def _budgets(report: EvaluationReport) -> list[str]:
    return list(dict.fromkeys(line.budget for line in report.lines))


def _accuracy(report: EvaluationReport, baselines: Collection[str]) -> str:
    budgets = _budgets(report)
    rows = []
    for name, lines in _by_contender(report, baselines).items():
        by_budget = {line.budget: line for line in lines}
        rows.append([name, *(f"{by_budget[b].accuracy:.3f}" if b in by_budget else UNKNOWN for b in budgets)])
    return "accuracy at a budget of\n" + columns(["", *map(_short, budgets)], rows) + _on_fewer(report, baselines)


def _on_fewer(report: EvaluationReport, baselines: Collection[str]) -> str:
    """A note where accuracies are of different prompts: arms may lack logs, or be too dear for the budget in a fold."""
    least = min((line.n_prompts for lines in _by_contender(report, baselines).values() for line in lines), default=0)
    if least >= NEARLY_ALL * report.n_prompts:
        return ""
    return (
        f"\nnot every accuracy is of all {report.n_prompts:,} prompts: it is of those which log what is taken, in "
        f"folds where the budget bears it, at least {least:,}"
    )


def _gains(report: EvaluationReport) -> str:
    rows = [
        [
            _short(line.budget), amount(line.cost), f"{line.accuracy:.3f}", figure(line.hull),
            _interval(line.gain), _interval(line.gain_fixed), figure(line.regret, 1),
        ]
        for line in report.lines
        if line.contender == "policy"
    ]  # fmt: skip
    if not rows:
        return ""
    header = ["budget", "spent", "accuracy", "hull", "gain (90%)", "over fixed arms' hull", "regret"]
    return "the policy against the mixture hull of single arms, in points, at equal realised cost\n" + columns(
        header, rows
    )


def _choices(report: EvaluationReport) -> str:
    shown = _spread(_budgets(report), 3)
    rows = [
        [_short(choice.budget), str(choice.bin), f"{choice.share:.0%}", choice.arm, _share(choice.accuracy)]
        for choice in report.choices
        if choice.budget in shown and choice.share >= WORTH_SHOWING
    ]
    return (
        "what is chosen, by bin (1 the easiest)\n" + columns(["budget", "bin", "share", "arm", "accuracy"], rows)
        if rows
        else ""
    )


def _shapes(report: EvaluationReport) -> str:
    if not report.shapes:
        return ""
    bins = [f"bin {b + 1}" for b in range(len(report.shapes[0].accuracy_by_bin))]
    rows = [
        [s.generator, f"{s.generations}", f"{s.breadth}x{s.depth}", *map(_share, (s.accuracy, *s.accuracy_by_bin))]
        for s in report.shapes
        if any(other.generations == s.generations and other.depth != s.depth for other in report.shapes)
    ]
    header = ["generator", "generations", "breadth x depth", "all", *bins]
    return f"breadth or depth, by bin ({report.shapes[0].selection})\n" + columns(header, rows) if rows else ""


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _difficulty(report: EvaluationReport) -> str:
    """The predictor beside its baselines."""
    header = ("spearman", "auc", "calibration_error")
    rows = [
        [name.replace("_", " "), *(_share(scores[kind]) for kind in header)]
        for name, scores in report.difficulty.items()
        if isinstance(scores, dict)
    ]
    title = "difficulty from text"
    return f"{title}\n" + columns(["", *(kind.replace("_", " ") for kind in header)], rows) if rows else ""


def _multiples(report: EvaluationReport) -> str:
    rows = [
        [
            m.baseline,
            f"{m.accuracy:.3f}",
            amount(m.cost),
            amount(m.policy_cost),
            f"1/{m.times:.1f}" if m.times else UNKNOWN,
        ]
        for m in report.multiples
    ]
    return (
        "cost at equal accuracy\n" + columns(["baseline", "accuracy", "its cost", "policy", "ratio"], rows)
        if rows
        else ""
    )


def _trust(report: EvaluationReport) -> str:
    lines = [
        f"{name.replace('_', ' ')}: {_plain(value)}"
        for name, value in report.difficulty.items()
        if not isinstance(value, dict)
    ]
    if report.kept_of_oracle_gain is not None:
        lines.append(f"share of the oracle bins' gain that text keeps: {report.kept_of_oracle_gain:.0%}")
    if report.coverage is not None and report.coverage.share is not None:
        lines.append(
            f"90% intervals that hold their group's mean: {report.coverage.share:.0%} of {_held(report.coverage)}"
        )
    return "difficulty and intervals\n" + "\n".join(lines) if lines else ""


def _held(coverage: Coverage) -> str:
    """How many intervals were checked, and on how few prompts."""
    n, groups = coverage.n_groups, coverage.n_prompt_groups
    if not groups:
        return f"{n:,}"
    about = "" if n % groups == 0 else "about "
    of_prompts = "1 group" if groups == 1 else f"{groups} groups"
    few = "; so few groups of prompts tell little" if groups < FEW_GROUPS else ""
    return f"{n:,} ({of_prompts} of prompts x {about}{round(n / groups):,} arms{few})"


def _interval(interval: Interval | None) -> str:
    return UNKNOWN if interval is None else f"{interval.value:+z.1f} ({interval.low:+z.1f} to {interval.high:+z.1f})"


def _plain(value: object) -> str:
    return f"{value:.3f}".removesuffix(".000") if isinstance(value, float) else str(value)


def _short(budget: str) -> str:
    """`mean_flops=1.5e+08` as `1.5e+08`, where the unit stands in the title."""
    return budget.partition("=")[2] if budget.count("=") == 1 else budget


def _spread(names: list[str], n: int) -> set[str]:
    """About `n` names, evenly spread."""
    if len(names) <= n:
        return set(names)
    return {names[round((i + 0.5) * len(names) / n - 0.5)] for i in range(n)}
