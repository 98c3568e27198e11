"""`planner curves`: accuracy against budget of every arm, exactly, from the logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.common import echo_json, json_option, open_planner, progress
from planner.errors import NothingGraded, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from planner.core import Unit
    from planner.curves.arm_means import ArmMeans

UNIT_LABELS: dict[Unit, str] = {"usd": "USD", "flops": "FLOPs", "tokens": "tokens", "generations": "generations"}


@click.command()
@click.option("--bin", "by_bin", is_flag=True, help="Also by bin of difficulty of the promoted policy.")
@click.option(
    "--generator", "generators", multiple=True, metavar="NAME", help="Only arms of this generator; repeatable."
)
@click.option("--cascades", is_flag=True, help="Also arms that stop and escalate, replayed from the same samples.")
@click.option("--plot", "plot_file", type=click.Path(dir_okay=False, path_type=Path), help="Draw them into this file.")
@json_option
def curves(by_bin: bool, generators: tuple[str, ...], cascades: bool, plot_file: Path | None, as_json: bool) -> None:
    """Mean accuracy and cost of every arm over all logged prompts: averages over all subsets of the samples."""
    from planner.curves.arm_means import arm_means

    planner = open_planner()
    if plot_file is not None:
        from planner.cli.plot import require_drawing

        require_drawing(plot_file)
    with progress("replaying the logs"):
        table = planner.curves(cascades=cascades)
    if not table.arms:
        raise NothingGraded
    _check(generators, {name for arm in table.arms for name in arm.generators})
    membership = planner.policy.predictor.membership(table) if by_bin else None
    means = [m for m in arm_means(table, membership) if not generators or set(m.arm.generators) <= set(generators)]
    if as_json:
        echo_json([_plain(m) for m in means])
    else:
        click.echo(_text(means))
    if plot_file is not None:  # last: a picture that cannot be written takes no figure with it
        _plot(means, plot_file)


def _check(asked: Sequence[str], known: set[str]) -> None:
    for name in asked:
        if name not in known:
            raise UnknownModel(f"no run of {name!r} is logged; there are: {', '.join(sorted(known))}")


def _text(means: Sequence[ArmMeans]) -> str:
    from planner.cli.text import amount, columns, figure

    readers = _readers(means)
    n_bins = max((len(m.by_bin) for m in means), default=0)
    header = ["arm", "prompts", "accuracy", *(f"bin {b + 1}" for b in range(n_bins)), *UNIT_LABELS.values()]
    rows = [
        [
            m.arm.label + reader + (" *" if m.extrapolated else ""),
            str(m.n_prompts),
            f"{m.accuracy:.3f}",
            *(figure(value) for value in m.by_bin),
            *(amount(m.cost[unit]) for unit in UNIT_LABELS),
        ]
        for m, reader in zip(means, readers, strict=True)
    ]
    note = "\n* past the log: extrapolated" if any(m.extrapolated for m in means) else ""
    return columns(header, rows) + note


def _readers(means: Sequence[ArmMeans]) -> list[str]:
    """What is put to each label to tell by which verifier its answers are scored: nothing where there is one alone."""
    if len({m.arm.verifier for m in means} - {None}) < 2:
        return [""] * len(means)
    return [f", scored by {m.arm.verifier}" if m.arm.verifier else "" for m in means]


def _plain(m: ArmMeans) -> dict[str, Any]:
    return {
        "arm": m.arm.model_dump(mode="json"),
        "label": m.arm.label,
        "n_prompts": m.n_prompts,
        "accuracy": m.accuracy,
        "accuracy_by_bin": list(m.by_bin) or None,
        "cost": m.cost,
        "extrapolated": m.extrapolated,
    }


def _plot(means: Sequence[ArmMeans], path: Path) -> None:
    from planner.cli.plot import Curve, write_curves

    unit = next(u for u in UNIT_LABELS if u == "generations" or all(m.cost[u] == m.cost[u] for m in means))
    families: dict[str, list[ArmMeans]] = {}
    for m, reader in zip(means, _readers(means), strict=True):
        depth = f", depth {m.arm.depth}" if m.arm.depth > 1 else ""
        families.setdefault(f"{m.arm.generator} {m.arm.search} {m.arm.selection}{depth}{reader}", []).append(m)
    lines = [Curve(name, [m.cost[unit] for m in part], [m.accuracy for m in part]) for name, part in families.items()]
    write_curves(lines, path, unit=UNIT_LABELS[unit], title="Arms on the logged prompts")
