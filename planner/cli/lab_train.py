"""`planner lab train`: the lab's models made anew, each in minutes on a CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from planner.cli.common import progress
from planner.errors import InvalidInput

_Command = Any
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _common(minutes: str, start: str) -> Callable[[_Command], _Command]:
    options = (
        click.option("--out", required=True, type=_FOLDER, help="Folder that the weights are written to."),
        click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help=f"How long to train. [{minutes}]"),
        click.option("--from", "start", type=_FOLDER, help=f"Folder of weights to begin with. [{start}]"),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
        click.option("--steps", "most_steps", type=click.IntRange(min=1), help="End after so many steps, as a trial."),
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _data(n_problems: int) -> Callable[[_Command], _Command]:
    many = click.IntRange(min=1)
    problems = click.option(
        "--problems", "n_problems", type=many, default=n_problems, show_default=True, help="Fresh problems to sample."
    )
    samples = click.option("--samples", "n_samples", type=many, default=8, show_default=True, help="Of each problem.")
    return lambda command: problems(samples(command))


@click.group()
def train() -> None:
    """Train the lab's models anew (extra `train`: torch), each in minutes on a CPU.

    A folder that is written holds config.json and model.safetensors (Llama, float16; `transformers` reads it too)
    and train.json, which says what came of it on fresh problems. Training ends by the clock, so that a busy machine
    learns less; sampling and judging come on top. The results that each command names were had with its defaults on
    half of one core (x86_64), on 200 fresh problems of 1 to 9 steps.
    """


@train.command()
@_common("20", "fresh weights")
def small(**options: Any) -> None:  # noqa: ANN401 - each typed by its option
    """Train a small language model: 316,320 parameters that solve word arithmetic.

    It learns solutions of fresh problems, more of those that it gets wrong, and drills of single operations.

    20 minutes in all: solves .68 of problems (the shipped model .67).
    """
    _make("make_small", options)


@train.command()
@_common("2", "the shipped small model")
def large(**options: Any) -> None:  # noqa: ANN401
    """Train a larger one: a small one made three times as wide without forgetting, then trained.

    2.2 minutes in all: solves .91 of problems (the shipped model .90).
    """
    _make("make_large", options)


@train.command()
@_common("1.2, of the backbone", "the shipped small model")
@_data(1000)
@click.option(
    "--labels",
    type=click.Choice(("outcome", "rollouts")),
    default="outcome",
    show_default=True,
    help="Of a step: its sample's outcome, or the share of rollouts from it that come out right (Math-Shepherd).",
)
@click.option("--rollouts", type=click.IntRange(min=1), default=4, show_default=True, help="From each step.")
def prm(**options: Any) -> None:  # noqa: ANN401
    """Train a process reward model: a small model that reads answers, and a head over its log-probabilities.

    1.7 minutes in all, 2.8 with `--labels rollouts`: of a right and a wrong answer to one prompt the right one scores
    higher in .90 of cases, with rollouts in .89.
    """
    _make("make_prm", options)


@train.command()
@_common("14.5", "the shipped small model")
@_data(4000)
def reviser(**options: Any) -> None:  # noqa: ANN401
    """Train a reviser on a small model's own samples: right drafts are kept, wrong ones mended.

    The target after a wrong draft is the right sample of least edit distance to it. Some hundred problems are learned
    by heart, and nothing is mended on others.

    16 minutes in all: .71 of first attempts and .78 of second ones are right (the shipped model .71 and .82).
    """
    _make("make_reviser", options)


def _make(name: str, options: dict[str, Any]) -> None:
    if importlib.util.find_spec("torch") is None:
        raise InvalidInput("training needs torch: run `pip install 'planner[train]'`")
    import torch

    from planner.lab.training import making

    torch.set_num_threads(1)  # matrices this small are slower with more
    how = making.How(**{name: options.pop(name) for name in ("start", "minutes", "seed", "most_steps")})
    out: Path = options.pop("out")
    with progress("training") as report:
        found = getattr(making, name)(out, how, report, **options)
    measured = {name: value for name, value in found.items() if isinstance(value, int | float)}
    shown = (
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:.4g}" for name, value in measured.items()
    )
    click.echo(f"{out}: {', '.join(shown)}")
