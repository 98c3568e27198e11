"""Recommendations and tables as plain text that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from planner.core import Cost, Difficulty, Forecast, Recommendation, RunResult

UNKNOWN = "-"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their header; a column of figures is aligned to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    figures = [all(_is_figure(row[i]) for row in rows) and bool(rows) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, figures, strict=True)
        ).rstrip()
        for line in cells
    )


def figure(value: float | None, digits: int = 3) -> str:
    """Few digits, thousands marked; a dash for what is unknown."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is the one value that differs from itself
        return UNKNOWN
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        text = f"{value:,.{digits}f}" if abs(value) < 10 else f"{value:,.0f}"
        return text.rstrip("0").rstrip(".") if "." in text and digits > 3 else text
    return f"{value:.{digits - 1}e}"


def amount(value: float | None) -> str:
    """A cost to three digits however small it is, thousands marked; a dash for what is unknown."""
    if value is None or value != value:  # noqa: PLR0124 - as above
        return UNKNOWN
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def cost_text(cost: Cost) -> str:
    """Every unit that is known, in words."""
    parts = (
        (cost.generations, "{} generations"),
        (cost.tokens, "{} tokens"),
        (cost.flops, "{} FLOPs"),
        (cost.usd, "{} USD"),
        (cost.latency_seconds, "{} s"),
    )
    known = [text.format(amount(value)) for value, text in parts if value is not None]
    return ", ".join(known) or "unknown"


def accuracy_text(forecast: Forecast) -> str:
    """Accuracy with its interval."""
    text = f"{forecast.accuracy:.3f} (90% interval {forecast.accuracy_low:.3f} to {forecast.accuracy_high:.3f})"
    return text + (", extrapolated past the log" if forecast.extrapolated else "")


def recommendation_text(plan: Recommendation, *, explain: bool = False) -> str:
    """A recommendation as a few labelled lines; with `explain` also what it rests on and the runners-up."""
    difficulty = plan.difficulty
    lines = [
        ("arm", plan.arm.label),
        ("accuracy", accuracy_text(plan.forecast)),
        ("cost", cost_text(plan.forecast.cost)),
        ("at most", cost_text(plan.forecast.cost_worst)),
        (
            "difficulty",
            (
                f"{_bin_text(difficulty)} ({' '.join(_shares(difficulty))}), "
                f"pass rate {difficulty.pass_rate:.2f}, from {difficulty.source}"
            ),
        ),
        ("reason", plan.reason),
    ]
    if explain:
        lines += _explanation(plan)
    return "\n".join(f"{label:<11} {text}" for label, text in lines)


def _bin_text(difficulty: Difficulty) -> str:
    """The most likely bin; where all are alike none is, and the first of them would read as the easiest."""
    if _is_flat(difficulty):
        return "unknown"
    return f"bin {difficulty.most_likely_bin} of {len(difficulty.bin_probabilities)}"


def _is_flat(difficulty: Difficulty) -> bool:
    shares = _shares(difficulty)
    return len(shares) > 1 and len(set(shares)) == 1


def _shares(difficulty: Difficulty) -> list[str]:
    return [f"{p:.2f}" for p in difficulty.bin_probabilities]


def run_text(result: RunResult) -> str:
    """What a run came to as a few labelled lines: the answer, its cost, and what was planned and done."""
    plan = result.plan
    lines = [("answer", result.answer if result.answer is not None else "none")]
    if result.correct is not None:
        lines.append(("correct", f"{result.correct:g}"))
    if result.status != "ok":
        lines.append(("status", result.status if result.reason is None else f"{result.status}: {result.reason}"))
    if result.note is not None:
        lines.append(("note", result.note))
    done = " > ".join(f"{_drawn(stage)} of {stage['generator']}" for stage in result.stages)
    lines += [
        ("cost", cost_text(result.cost)),
        (
            "planned",
            f"{plan.arm.label}: {plan.forecast.accuracy:.3f}, {cost_text(plan.forecast.cost)}",
        ),
        ("done", (done or "nothing") + (f" ({result.probes} of them probes)" if result.probes else "")),
        ("run", result.run_id),
    ]
    return "\n".join(f"{label:<11} {text}" for label, text in lines)


def _drawn(stage: Mapping[str, Any]) -> str:
    n, draw = stage["n"], stage["draw"]
    return f"{n} {draw.removesuffix('s') if n == 1 else draw}"


def recommendation_row(plan: Recommendation) -> list[str]:
    """One line of a table of recommendations: prompt, arm, accuracy, cost, difficulty."""
    return [
        plan.prompt_id[:12],
        plan.arm.label + (" (declined)" if plan.declined else ""),
        f"{plan.forecast.accuracy:.3f}",
        cost_text(plan.forecast.cost),
        UNKNOWN if _is_flat(plan.difficulty) else str(plan.difficulty.most_likely_bin),
    ]


ROW_HEADER = ("prompt", "arm", "accuracy", "expected cost", "bin")


def _explanation(plan: Recommendation) -> list[tuple[str, str]]:
    forecast, verifier = plan.forecast, plan.arm.verifier
    lines = [
        *([("verifier", verifier)] if verifier else []),
        ("rests on", f"{forecast.n_prompts} logged prompts, {forecast.n_runs} samples or runs of this arm"),
        ("propensity", f"{plan.propensity:.3g}"),
        ("policy", plan.policy_id),
        ("id", plan.recommendation_id),
    ]
    for place, other in enumerate(plan.alternatives, 1):
        reader = other.arm.verifier
        # Two arms may differ in nothing else, and no label tells the verifier.
        name = other.arm.label + (f", scored by {reader}" if reader not in {None, verifier} else "")
        text = f"{name}: {other.forecast.accuracy:.3f}, {cost_text(other.forecast.cost)}"
        lines.append((f"runner-up {place}", text))
    return lines


def _is_figure(text: str) -> bool:
    return text == UNKNOWN or (text[:1] in "0123456789+-." and any(c.isdigit() for c in text))
