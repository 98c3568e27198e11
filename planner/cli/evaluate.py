"""`planner evaluate`: what a policy from these logs is worth on prompts that it was not fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.common import echo_json, json_option, open_planner, progress
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from planner.policy.report import EvaluationReport

UNITS = ("generations", "tokens", "flops", "usd")


@click.command()
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="NAME",
    help="Show only this baseline beside the policy; repeatable.",
)
@click.option("--unit", type=click.Choice(UNITS), help="Unit of cost. [USD, FLOPs or tokens, the first that is known]")
@click.option(
    "--mean",
    "means",
    type=float,
    multiple=True,
    metavar="X",
    help="Average budget in --unit; repeatable. [eight, from the logs]",
)
@click.option(
    "--probes",
    type=click.IntRange(1),
    multiple=True,
    default=(4,),
    show_default=True,
    help="Also with so many probes; repeatable.",
)
@click.option("--reference", metavar="NAME", help="Generator whose pass rate is difficulty. [most sampled]")
@click.option("--no-cascades", is_flag=True, help="Fixed arms only.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--plot",
    "plot_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw accuracy against cost into this file.",
)
@json_option
def evaluate(
    folds: int,
    baselines: tuple[str, ...],
    unit: Any,  # noqa: ANN401 - one of UNITS, as click.Choice sees to
    means: tuple[float, ...],
    probes: tuple[int, ...],
    reference: str | None,
    no_cascades: bool,
    seed: int,
    plot_file: Path | None,
    as_json: bool,
) -> None:
    """Measure the policy against its baselines, on folds by prompt; nothing is chosen and reported on one fold."""
    from planner.texts.kept import what_cannot_be_read

    planner = open_planner()
    _check_names(baselines)
    if plot_file is not None:
        from planner.cli.plot import require_drawing

        require_drawing(plot_file)
    with progress("evaluating") as report:
        done = 0

        def after_fold(text: str) -> None:
            nonlocal done
            done += 1
            report(done, folds + 1, text)

        report(0, folds + 1, "first fold")
        found = planner.evaluate(
            folds=folds,
            budgets=_budgets(unit, means),
            seed=seed,
            unit=unit,
            probes=probes,
            reference=reference,
            cascades=not no_cascades,
            progress=after_fold,
        )
    result = found.report
    for warning in (*what_cannot_be_read(found.table.prompts.texts), *result.warnings):
        click.echo(f"warning: {warning}", err=True)
    _check_logged(result, baselines)
    if as_json:
        echo_json(result)
    else:
        from planner.cli.report import report_text

        click.echo(report_text(result, baselines))
    if plot_file is not None:  # last: a picture that cannot be written takes no figure with it
        from planner.cli.report import write_plot

        write_plot(result, plot_file, baselines)


def _budgets(unit: str | None, means: tuple[float, ...]) -> list[Any] | None:
    if not means:
        return None
    if unit is None:
        raise InvalidInput("--mean needs its unit: add --unit " + " | ".join(UNITS))
    from planner.cli.common import parsed
    from planner.core import Budget

    return [parsed(Budget, {f"mean_{unit}": value}, "--mean") for value in means]


def _check_names(baselines: tuple[str, ...]) -> None:
    """Before the minutes that an evaluation takes."""
    from planner.policy.baselines import NAMES

    for name in baselines:
        if name not in NAMES:
            raise InvalidInput(f"there is no baseline {name!r}; there are: {', '.join(NAMES)}")


def _check_logged(report: EvaluationReport, baselines: tuple[str, ...]) -> None:
    known = sorted({line.contender for line in report.lines if not line.contender.startswith("policy")})
    for name in baselines:
        if name not in known:
            raise InvalidInput(f"the logs have nothing for the baseline {name!r}; they have: {', '.join(known)}")
