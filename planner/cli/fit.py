"""`planner fit`: from the logs of the store to a policy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from planner.cli.common import echo_json, json_option, open_planner, progress

if TYPE_CHECKING:
    from planner.artifacts.refit import FitResult


@click.command()
@click.option("--since", type=click.DateTime(), help="Only runs of that day (UTC) or later.")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this data set; repeatable.")
@click.option(
    "--exclude-dataset", "excluded", multiple=True, metavar="NAME", help="Leave this data set out; repeatable."
)
@click.option(
    "--exclude-generator",
    "excluded_generators",
    multiple=True,
    metavar="NAME",
    help="Leave this generator's runs out; repeatable.",
)
@click.option("--reference", metavar="NAME", help="Generator whose pass rate is difficulty. [most sampled]")
@click.option(
    "--metadata",
    "metadata",
    multiple=True,
    metavar="NAME",
    help="Member of prompts' metadata to learn from; repeatable.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
def fit(
    since: datetime | None,
    datasets: tuple[str, ...],
    excluded: tuple[str, ...],
    excluded_generators: tuple[str, ...],
    reference: str | None,
    metadata: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Fit a policy from the logs; it is promoted if it is not worse than the one before.

    A policy that is promoted already is compared on the same held-out prompts; the reason is printed either way.
    """
    planner = open_planner()
    with progress("fitting") as report:
        result = planner.fit(
            seed=seed,
            since=since.replace(tzinfo=UTC) if since else None,
            datasets=datasets or None,
            exclude_datasets=excluded,
            exclude_generators=excluded_generators,
            reference=reference,
            metadata_features=metadata,
            progress=report,
        )
    for warning in (*result.warnings, *(result.report.warnings if result.report else ())):
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        echo_json(fit_json(result))
    else:
        click.echo(fit_text(result))


def fit_json(result: FitResult) -> dict[str, object]:
    """The result of a fit as plain data."""
    report = result.report.model_dump(mode="json") if result.report else None
    return {
        "policy_id": result.policy_id,
        "promoted": result.promoted,
        "reason": result.reason,
        "n_prompts": result.n_prompts,
        "n_arms": result.n_arms,
        "warnings": list(result.warnings),
        "report": report,
    }


def fit_text(result: FitResult) -> str:
    """The result of a fit, its held-out report first."""
    from planner.cli.report import report_text

    parts = [report_text(result.report)] if result.report else ["too few prompts are graded to hold any out: no report"]
    parts.append(f"policy {result.policy_id}: {result.n_arms} arms from {result.n_prompts:,} prompts\n{result.reason}")
    return "\n\n".join(parts)
