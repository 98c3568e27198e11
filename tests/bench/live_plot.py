"""The picture of what sessions did on fresh problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.bench.readme import README

if TYPE_CHECKING:
    from tests.bench.live import Live

PATH = README.parent / "notebooks" / "images" / "live.png"


def plot(found: Live) -> None:
    """Accuracy against realised mean FLOPs: sessions with their standard errors, both hulls, and votes by N."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    spent = [float(one.cost.mean()) for one in found.sessions.values()]
    reached = [float(one.outcome.mean()) for one in found.sessions.values()]
    error = [float(one.outcome.std() / np.sqrt(len(one.outcome))) for one in found.sessions.values()]
    axes.errorbar(
        spent, reached, yerr=error, color="C3", marker="o", linewidth=2, capsize=3, label="session, carried out live"
    )
    grid = np.geomspace(6e7, 6e9, 40)
    for name, hull, style in (("hull of cascades", found.cascades, "-"), ("hull of fixed arms", found.fixed, "--")):
        played = [hull.nominal(float(cost)) for cost in grid]
        axes.plot([p.cost.mean() for p in played], [p.outcome.mean() for p in played], "C0" + style, label=name)
    for name, colour in (("best_of_n", "C1"), ("weighted_vote", "C2"), ("majority_vote", "C7")):
        arms = np.flatnonzero(found.masks[name])
        arms = arms[np.argsort(found.fold.cost[:, arms].mean(axis=0))]
        axes.plot(
            found.fold.cost[:, arms].mean(axis=0), found.fold.table.outcome[:, arms].mean(axis=0),
            colour + ".-", label=f"{name}, lab-small", linewidth=1,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("mean FLOPs a problem, prompts and verifier counted")
    axes.set_ylabel("accuracy on fresh problems")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    PATH.parent.mkdir(exist_ok=True)
    figure.savefig(PATH, dpi=130)
    plt.close(figure)
