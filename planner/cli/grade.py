"""`planner grade`: say of a logged run whether its answer is correct."""

from __future__ import annotations

import click

from planner.cli.common import open_store


@click.command()
@click.argument("run_id")
@click.option("--correct", type=float, required=True, metavar="0..1", help="1 is correct, 0 is wrong.")
@click.option("--grader", default="cli", show_default=True, metavar="NAME", help="Who says so.")
def grade(run_id: str, correct: float, grader: str) -> None:
    """Grade the run RUN_ID, logged earlier."""
    open_store(create=False).grade(run_id, correct=correct, grader=grader)
    click.echo(f"{run_id}: correct {correct:g}")
