"""`planner export`: training data for verifiers and revisers, out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from planner.cli.common import json_text, open_store, progress, settings, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from planner.formats.exports.prompts import Seen

_Command = Any


def _common(command: _Command) -> _Command:
    options = (
        click.option("--dataset", "datasets", multiple=True, metavar="NAME", help="Only this data set; repeatable."),
        click.option(
            "--generator", "generators", multiple=True, metavar="NAME", help="Only answers of this one; repeatable."
        ),
        click.option(
            "--output",
            "output_file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write to this file instead of stdout.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def export() -> None:
    """Write logged answers as training data, one JSON object a line.

    Answers need their texts in the logs: `planner run` and `planner explore` log them, unless
    PLANNER_STORE_PROMPT_TEXT is off.
    """


@export.command("prm-labels")
@click.option(
    "--labels",
    type=click.Choice(("soft", "hard", "outcome")),
    default="soft",
    show_default=True,
    help="Share of a step's rollouts that are right; whether any is; or the answer's own outcome, without rollouts.",
)
@click.option(
    "--min-rollouts", type=click.IntRange(min=1), default=1, show_default=True, help="Least rollouts of each step."
)
@_common
def prm_labels(
    labels: Any,  # noqa: ANN401 - one of `Labels`
    min_rollouts: int,
    datasets: tuple[str, ...],
    generators: tuple[str, ...],
    output_file: Path | None,
) -> None:
    """Write labels of steps for a process reward model: TRL's stepwise supervision.

    A line is {"prompt", "completions": [step, ...], "labels": [...]}, labels by Math-Shepherd from step rollouts.
    TRL's PRMTrainer takes true and false (hard, outcome); shares (soft) are for a trainer that takes them as targets.

    \b
    planner explore --prompts prompts.jsonl --endpoint http://localhost:8000/v1 --rollouts 8
    planner export prm-labels --labels hard --output prm.jsonl
    """  # noqa: D301 - click reads \b as "keep these lines"
    from planner.formats.exports import Labels, PrmExport

    assert labels in get_args(Labels), "click checked it"
    made = PrmExport(labels=labels, min_rollouts=min_rollouts, generators=generators)
    _write(made.records, datasets, generators, output_file)
    click.echo(f"{made.n_records:,} solutions with labels of steps", err=True)
    _warn(made.seen)


@export.command("revision-pairs")
@click.option(
    "--max-wrong",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="Most wrong attempts before a right answer.",
)
@click.option(
    "--max-per-prompt",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Most right answers of one prompt.",
)
@click.option("--instruction", metavar="TEXT", help="What asks for a revision. [default: as `planner run` asks]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draws.")
@_common
def revision_pairs(
    max_wrong: int,
    max_per_prompt: int,
    instruction: str | None,
    seed: int,
    datasets: tuple[str, ...],
    generators: tuple[str, ...],
    output_file: Path | None,
) -> None:
    """Write chains from wrong to right answers for a reviser: TRL's conversations.

    A line is {"messages": [...]}: a right answer after 0 to --max-wrong wrong attempts of the same prompt, the last
    of them the one of least edit distance to it. Train on the last message alone (in TRL's form of prompt and
    completion it is the completion): the attempts before it are wrong.

    \b
    planner export revision-pairs --generator my-model --output revisions.jsonl
    """  # noqa: D301 - click reads \b as "keep these lines"
    from planner.core import Conventions
    from planner.formats.exports import RevisionExport

    made = RevisionExport(
        max_wrong=max_wrong,
        max_per_prompt=max_per_prompt,
        instruction=instruction or settings().conventions.revision_instruction or Conventions().revision_instruction,
        seed=seed,
        generators=generators,
    )
    _write(made.records, datasets, generators, output_file)
    click.echo(f"{made.n_records:,} conversations of {made.n_prompts:,} prompts", err=True)
    _warn(made.seen)


def _write(
    records: Callable[[Any], Iterator[dict[str, Any]]],
    datasets: tuple[str, ...],
    generators: tuple[str, ...],
    output_file: Path | None,
) -> None:
    """Write each record as it is made."""
    store = open_store(create=False)
    runs = store.stream_runs(datasets=datasets or None, generators=generators or None)
    with writing(output_file) as write, progress("exporting") as report:
        for number, record in enumerate(records(runs), 1):
            write(json_text(record))
            report(number)


def _warn(seen: Seen) -> None:
    from planner.formats.exports.prompts import texts_left_out

    if seen.hashed:
        click.echo(f"warning: {texts_left_out(seen)}: they are left out", err=True)
