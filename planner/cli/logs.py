"""`planner logs`: import, list, export, undo and delete logged runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.common import echo_json, json_option, open_store, progress, settings, writing
from planner.cli.text import UNKNOWN, columns
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from planner.store import Removed


@click.group()
def logs() -> None:
    """Import, list, export, undo and delete logged runs."""


@logs.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "format_name", default="auto", show_default=True, help="auto, jsonl, parquet or csv.")
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out, and write them with reasons to --rejected.")
@click.option(
    "--rejected",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where rejected lines go. [default: NAME.rejected.jsonl in the working folder]",
)
@click.option(
    "--extract",
    metavar="NAME",
    help="How answers are read out of raw ones: auto, answer_line, last_number, boxed, choice, regex:PATTERN, "
    "json:FIELD, text or raw.",
)
@click.option("--grade", metavar="NAME", help="How ungraded answers are compared: exact, numeric, choice or regex.")
@json_option
def import_command(
    files: tuple[Path, ...],
    format_name: str,
    skip_bad: bool,
    rejected: Path | None,
    extract: str | None,
    grade: str | None,
    as_json: bool,
) -> None:
    """Import logs: JSON Lines (plain, .gz, .zst), Parquet or CSV; all files or none.

    \b
    planner logs import runs.jsonl
    planner logs import samples.parquet tree.runs.jsonl.gz --skip-bad
    planner logs import raw.jsonl --extract boxed --grade numeric
    """  # noqa: D301 - click reads \b as "keep these lines"
    from dataclasses import asdict

    from planner.formats import import_logs

    store = open_store()
    with progress("importing") as report:
        done = import_logs(
            store,
            files,
            format=format_name,
            skip_bad=skip_bad,
            rejected_path=rejected,
            extract=extract,
            grade=grade,
            store_prompt_text=settings().store_prompt_text,
            progress=report,
        )
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        echo_json(asdict(done))
    else:
        click.echo(done.summary)


@logs.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List imports, the newest first."""
    rows = open_store(create=False).imports()
    if as_json:
        echo_json([row._asdict() for row in rows])
        return
    header = ("import", "at (UTC)", "runs", "samples", "known already", "grades", "source")
    texts = [
        [
            row.import_id,
            f"{row.imported_at:%Y-%m-%d %H:%M}",
            *(f"{n:,}" for n in (row.n_runs, row.n_samples, row.n_duplicates, row.n_graded)),
            row.source,
        ]
        for row in rows
    ]
    click.echo(columns(header, texts) if rows else "nothing is imported yet: `planner logs import FILE`")


@logs.command("stats")
@json_option
def stats_command(as_json: bool) -> None:
    """Count runs by data set, generator, verifier and search."""
    rows = open_store(create=False).stats()
    if as_json:
        echo_json([row._asdict() for row in rows])
        return
    header = ("dataset", "generator", "verifier", "search", "prompts", "runs", "samples", "ungraded")
    texts = [
        [
            row.dataset or UNKNOWN,
            row.generator,
            row.verifier or UNKNOWN,
            row.search,
            *(f"{n:,}" for n in (row.n_prompts, row.n_runs, row.n_samples, row.n_ungraded)),
        ]
        for row in rows
    ]
    click.echo(columns(header, texts) if rows else "nothing is logged yet: `planner logs import FILE`")


@logs.command("export")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Runs of this data set; repeatable.")
@click.option("--generator", "generators", multiple=True, metavar="NAME", help="Runs of this generator; repeatable.")
@click.option(
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, not to stdout.",
)
def export_command(datasets: tuple[str, ...], generators: tuple[str, ...], output_file: Path | None) -> None:
    """Write logged runs as JSON Lines, as `planner logs import` reads them."""
    runs = open_store(create=False).stream_runs(datasets=datasets or None, generators=generators or None)
    n_hashed = 0
    with writing(output_file) as write, progress("exporting") as report:
        for number, run in enumerate(runs, 1):
            write(run.model_dump_json(exclude_none=True))
            n_hashed += run.prompt is None
            report(number)
    if n_hashed:
        click.echo(
            f"warning: {n_hashed:,} runs bear no prompt, since the texts are not stored: another store takes them only "
            "where it knows their prompt_ids; to move them, copy the store itself",
            err=True,
        )


@logs.command("undo")
@click.argument("import_id")
def undo_command(import_id: str) -> None:
    """Take out the runs of one import, and the grades it filled into others; `planner logs list` names it."""
    _echo_removed(open_store(create=False).undo(import_id))


@logs.command("delete")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Runs of this data set; repeatable.")
@click.option("--generator", "generators", multiple=True, metavar="NAME", help="Runs of this generator; repeatable.")
@click.option("--before", metavar="TIME", help="Runs before this day or time (ISO 8601; UTC where no zone is named).")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_command(datasets: tuple[str, ...], generators: tuple[str, ...], before: str | None, yes: bool) -> None:
    """Delete the runs that meet all conditions given."""
    moment = None if before is None else _moment(before)
    if not (datasets or generators or moment):
        raise InvalidInput("say what to delete: --dataset, --generator or --before")
    store = open_store(create=False)
    if not yes:
        _confirm(datasets, generators, before)
    _echo_removed(store.delete(datasets=datasets, generators=generators, before=moment))


def _confirm(datasets: tuple[str, ...], generators: tuple[str, ...], before: str | None) -> None:
    conditions = [
        f"of {' or '.join(datasets)}" if datasets else "",
        f"by {' or '.join(generators)}" if generators else "",
        f"before {before}" if before else "",
    ]
    what = " ".join(filter(None, conditions))
    if not sys.stdin.isatty():
        raise InvalidInput(f"deleting the runs {what} cannot be undone: add --yes to do it unasked")
    click.confirm(f"Delete the runs {what}? This cannot be undone.", abort=True, err=True)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"--before: {text!r} is no time, expected for example 2026-01-31") from error


def _echo_removed(removed: Removed) -> None:
    text = f"took out {removed.n_runs:,} runs, {removed.n_samples:,} samples and {removed.n_prompts:,} prompts"
    text += f"; took back {removed.n_grades:,} grades of other runs" if removed.n_grades else ""
    click.echo(text)
