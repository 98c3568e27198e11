"""`planner policies`: what is fitted, what is served, and whether its files are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from planner.cli.common import echo_json, json_option, open_planner

if TYPE_CHECKING:
    from planner.store import PolicyRow

policy_argument = click.argument("policy_id", required=False)


@click.group()
def policies() -> None:
    """List, show, promote, roll back and verify fitted policies."""


@policies.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List every fitted policy, the newest first."""
    from planner.cli.text import columns

    rows = open_planner().policies()
    if as_json:
        echo_json([row._asdict() for row in rows])
        return
    if not rows:
        click.echo("no policy is fitted yet: run `planner fit`", err=True)
        return
    lines = [[row.policy_id, row.status, f"{row.created_at:%Y-%m-%d %H:%M}", row.reason or ""] for row in rows]
    click.echo(columns(["policy", "status", "fitted (UTC)", "reason"], lines))


@policies.command()
@policy_argument
@json_option
def show(policy_id: str | None, as_json: bool) -> None:
    """Show what POLICY_ID (default: the promoted one) is made of and from, with its held-out report."""
    manifest = open_planner().manifest(policy_id)
    if as_json:
        echo_json(manifest)
        return
    from planner.cli.report import report_text
    from planner.policy.report import EvaluationReport

    click.echo(
        f"from {manifest.n_prompts:,} prompts, {manifest.n_samples:,} samples, {manifest.n_runs:,} runs; "
        f"{len(manifest.arms)} arms; seed {manifest.settings.seed}; reference {manifest.reference_generator}\n"
        f"data {manifest.data_fingerprint[:16]}; "
        + ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    )
    if manifest.report is not None:
        click.echo("\n" + report_text(EvaluationReport.model_validate(manifest.report)))


@policies.command()
@click.argument("policy_id")
@json_option
def promote(policy_id: str, as_json: bool) -> None:
    """Serve POLICY_ID from now on."""
    _changed(open_planner().promote(policy_id), as_json=as_json)


@policies.command()
@json_option
def rollback(as_json: bool) -> None:
    """Serve the policy that was promoted before the present one."""
    _changed(open_planner().rollback(), as_json=as_json)


@policies.command()
@policy_argument
@json_option
def verify(policy_id: str | None, as_json: bool) -> None:
    """Check every file of POLICY_ID (default: the promoted one) against its hash.

    Whatever else reads a policy checks the files that it reads: planning needs all but prompts.json, the ids of the
    prompts it was fitted on, which the next fit compares on.
    """
    manifest = open_planner().verify(policy_id)
    if as_json:
        echo_json({"files": manifest.files, "whole": True})
    else:
        click.echo(f"{len(manifest.files)} files, all as they were written")


def _changed(row: PolicyRow, *, as_json: bool) -> None:
    if as_json:
        echo_json(row._asdict())
    else:
        click.echo(f"{row.policy_id} is promoted")
