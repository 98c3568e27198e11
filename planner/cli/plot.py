"""Pictures, with matplotlib where it is installed (extra `plot`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Curve:
    """One line of a picture: accuracy against cost."""

    name: str
    costs: Sequence[float]
    accuracies: Sequence[float]
    emphasised: bool = False


def write_curves(curves: Sequence[Curve], path: Path, *, unit: str, title: str) -> None:
    """Write the curves to a file of the type that its name tells; raises InvalidInput where that is not possible."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InvalidInput("a picture needs matplotlib: run `pip install 'planner[plot]'`") from error
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        points = sorted(zip(curve.costs, curve.accuracies, strict=True))
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            marker="o",
            markersize=3,
            label=curve.name,
            linewidth=2.5 if curve.emphasised else 1.0,
            zorder=3 if curve.emphasised else 2,
        )
    axes.set(xscale="log", xlabel=f"{unit} a prompt", ylabel="accuracy", title=title)
    axes.grid(visible=True, alpha=0.3)
    figure.legend(fontsize="small", loc="outside right upper")  # beside the axes: no line is hidden by it
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise InvalidInput(f"{path}: {error}") from error
