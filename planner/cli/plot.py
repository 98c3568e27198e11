"""Pictures, with matplotlib where it is installed (extra `plot`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

# Colours come back after ten curves: then dashes and marks tell them apart.
_COLOURS = 10
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D")
_LEGEND_ROWS = 24


@dataclass(frozen=True)
class Curve:
    """One line of a picture: accuracy against cost."""

    name: str
    costs: Sequence[float]
    accuracies: Sequence[float]
    emphasised: bool = False


def require_drawing(path: Path) -> None:
    """Raise InvalidInput where `path` cannot be drawn; for whoever has long to compute before there is a picture."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InvalidInput("a picture needs matplotlib: run `pip install 'planner[plot]'`") from error
    kinds = Figure().canvas.get_supported_filetypes()
    kind = path.suffix.removeprefix(".").lower()
    if kind and kind not in kinds:  # without one it is drawn as PNG
        raise InvalidInput(f"{path} cannot be written: there are no pictures of type {kind!r}, but {', '.join(kinds)}")


def write_curves(curves: Sequence[Curve], path: Path, *, unit: str, title: str) -> None:
    """Write the curves to a file of the type that its name tells; raises InvalidInput where that is not possible."""
    require_drawing(path)
    try:
        draw(curves, unit=unit, title=title).savefig(path, dpi=150)
    except (ValueError, OSError) as error:
        raise InvalidInput(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def draw(curves: Sequence[Curve], *, unit: str, title: str) -> Figure:
    """The curves as one picture, cost on a log scale. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure

    columns = max(1, math.ceil(len(curves) / _LEGEND_ROWS))
    figure = Figure(figsize=(6 + 3 * columns, 5), layout="constrained")
    axes = figure.subplots()
    for place, curve in enumerate(curves):
        points = sorted(zip(curve.costs, curve.accuracies, strict=True))
        round_ = place // _COLOURS % len(_DASHES)
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=f"C{place % _COLOURS}",
            linestyle=_DASHES[round_],
            marker=_MARKERS[round_],
            markersize=3,
            label=curve.name,
            linewidth=2.5 if curve.emphasised else 1.0,
            zorder=3 if curve.emphasised else 2,
        )
    axes.set(xscale="log", xlabel=f"{unit} a prompt", ylabel="accuracy", title=title)
    axes.grid(visible=True, alpha=0.3)
    # Beside the axes: no line is hidden by it.
    figure.legend(fontsize="small", loc="outside right upper", ncols=columns)
    return figure
