"""`planner explore`: a designed sweep over prompts and arms, logged to be fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from planner.cli.common import echo_json, json_option, open_planner, parsed, progress, writing
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from planner.api import Planner
    from planner.core import Budget
    from planner.execution.explore import SweepReport

INTERRUPTED = 130
_Command = Any


def _totals() -> list[Callable[[_Command], _Command]]:
    words = {"flops": "FLOPs", "usd": "USD"}
    return [
        click.option(
            f"--max-{unit}",
            f"--total-{unit}",
            f"max_{unit}",
            type=float,
            metavar="X",
            help=f"Most {words.get(unit, unit)} of the whole sweep, earlier parts of it included.",
        )
        for unit in ("generations", "tokens", "flops", "usd")
    ]


DESIGN_OPTIONS = (
    *_totals(),
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        default=32,
        show_default=True,
        help="Samples of the cheapest generator.",
    ),
    click.option(
        "--other-samples", type=click.IntRange(min=1), default=8, show_default=True, help="Samples of each other one."
    ),
    click.option("--chains", type=click.IntRange(min=1), default=4, show_default=True, help="Chains of a reviser."),
    click.option("--depth", type=click.IntRange(min=1), default=4, show_default=True, help="Attempts in a chain."),
    click.option(
        "--tree-size",
        "tree_sizes",
        type=click.IntRange(min=1),
        multiple=True,
        default=(4, 16),
        show_default=True,
        help="Candidates of a tree search; repeatable.",
    ),
    click.option(
        "--rollouts",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Rollouts from each step of some answers, for `planner export prm-labels`.",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the design."),
    click.option("--fit", "fits", is_flag=True, help="Fit a policy afterwards."),
)


def design_options(command: _Command) -> _Command:
    """Add every option by which the size of a sweep is said."""
    for option in reversed(DESIGN_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.option(
    "--prompts",
    "prompts_file",
    required=True,
    metavar="FILE",
    help="JSON lines {prompt, prompt_id?, reference?, dataset?, metadata?}; - is stdin.",
)
@click.option("--endpoint", metavar="URL", help="Server of the models, or `lab`. [env PLANNER_ENDPOINT_URL]")
@click.option(
    "--generator", "generators", multiple=True, metavar="NAME", help="Draw from this one; repeatable. [all served]"
)
@click.option("--verifier", metavar="NAME", help="Score answers by this one. [the one that is served, if any]")
@click.option("--no-verifier", is_flag=True, help="Score nothing.")
@click.option("--reviser", "revisers", multiple=True, metavar="NAME", help="Draw chains of revisions; repeatable.")
@click.option(
    "--search",
    "searches",
    multiple=True,
    metavar="NAME",
    help="Also this tree search, where it can win; repeatable. [beam_search, where the verifier scores steps]",
)
@click.option("--no-search", is_flag=True, help="Samples and revisions alone.")
@click.option("--temperature", type=click.FloatRange(min=0), metavar="T", help="Of all samples. [the endpoint's own]")
@click.option("--max-completion-tokens", type=click.IntRange(min=1), metavar="N", help="Of one answer.")
@design_options
@click.option("--extract", metavar="NAME", help="How answers are read from texts. [auto]")
@click.option("--grade", metavar="NAME", help="How answers are compared with references. [numeric]")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Requests side by side.")
@json_option
@click.pass_context
def explore(context: click.Context, /, prompts_file: str, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    """Draw answers to many prompts at an endpoint, grade and log them: logs to fit on, in one command.

    \b
    planner explore --prompts prompts.jsonl --endpoint http://localhost:8000/v1 --max-usd 5 --fit
    planner explore --prompts prompts.jsonl --endpoint lab --rollouts 8

    A little of every generator on every prompt comes first, then whole curves of the cheapest one, chains of
    revisers, and tree searches where samples are neither all right nor all wrong. The same command again goes on
    where it ended, or was broken off: what is logged is not drawn again.
    """  # noqa: D301 - click reads \b as "keep these lines"
    for unwanted, named in (("verifier", options["verifier"]), ("search", options["searches"])):
        if options[f"no_{unwanted}"] and named:
            raise InvalidInput(f"--no-{unwanted} and --{unwanted} contradict each other: leave one of the two out")
    settings = {"temperature": options["temperature"], "max_tokens": options["max_completion_tokens"]}
    asked: dict[str, Any] = {
        "endpoint": options["endpoint"],
        "generators": options["generators"],
        "revisers": options["revisers"],
        "settings": {name: value for name, value in settings.items() if value is not None},
        "extract": options["extract"],
        "grade": options["grade"],
        "max_concurrency": options["concurrency"],
    }
    if options["no_verifier"] or options["verifier"]:
        asked["verifier"] = None if options["no_verifier"] else options["verifier"]
    if options["no_search"] or options["searches"]:
        asked["searches"] = () if options["no_search"] else options["searches"]
    prompts = _prompts(prompts_file)
    _check_references(prompts, fits=options["fits"])
    sweep(context, open_planner(create=True), prompts, asked, options, as_json=as_json)


def _of_design(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `design_options` said, as `Planner.explore` takes it."""
    from planner.core import Budget

    limits = {name: options[name] for name in options if name.startswith("max_") and name in Budget.model_fields}
    limits = {name: value for name, value in limits.items() if value is not None}
    total: Budget | None = parsed(Budget, limits, "the total") if limits else None
    names = ("samples", "other_samples", "chains", "depth", "tree_sizes", "rollouts", "seed")
    return {"total": total, **{name: options[name] for name in names}}


def sweep(
    context: click.Context,
    planner: Planner,
    prompts: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Sweep, say what came of it, and fit where that is asked for; `options` are those of `design_options`."""
    try:
        done = _swept(planner, prompts, asked, options)
    except KeyboardInterrupt:
        click.echo("interrupted: what was drawn is logged; the same command goes on from there", err=True)
        context.exit(INTERRUPTED)
    if not options["fits"]:
        _say(done, as_json=as_json)
        return
    click.echo(done.summary, err=True)
    from planner.cli.fit import fit_json, fit_text

    with progress("fitting") as report:
        fitted = planner.fit(seed=options["seed"], progress=report)
    if as_json:
        echo_json({"sweep": _plain(done), "fit": fit_json(fitted)})
    else:
        click.echo(fit_text(fitted))


def sweep_to_file(
    path: Path,
    prompts: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Sweep, and write the runs to a file as `planner logs import` reads them; no store keeps them."""
    import tempfile

    from planner.api import Planner

    if options["fits"]:
        raise InvalidInput("--fit needs the logs in the store: leave out --output, or import the file and fit")
    with (
        writing(path) as write,  # first: what cannot be written is known before anything is drawn
        tempfile.TemporaryDirectory(prefix="planner-explore-") as folder,
        Planner.open(f"sqlite:///{folder}/planner.db") as planner,
    ):
        done = _swept(planner, prompts, asked, options)
        for run in planner.store.stream_runs():
            write(run.model_dump_json(exclude_none=True))
    if as_json:
        echo_json(_plain(done))
    click.echo(f"{path}: {done.n_runs:,} runs with {done.n_samples:,} samples", err=True)


def _swept(
    planner: Planner, prompts: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], options: Mapping[str, Any]
) -> SweepReport:
    with progress("exploring") as report:
        return planner.explore(prompts, progress=report, **asked, **_of_design(options))


def _say(done: SweepReport, *, as_json: bool) -> None:
    if as_json:
        echo_json(_plain(done))
        return
    click.echo(done.summary)
    click.echo("next: `planner fit`, or `planner logs undo " + done.import_id + "`", err=True)


def _plain(done: SweepReport) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(done)


def _prompts(path: str) -> list[dict[str, Any]]:
    """All prompts of the file; raises InvalidInput that names the bad lines, before anything is spent."""
    from planner.cli.prompts import read_input

    lines = read_input(path, {}, with_reference=True)
    bad = [str(line.error) for line in lines if line.error is not None]
    if bad:
        more = f"\nand {len(bad) - 20:,} more bad lines" if len(bad) > 20 else ""
        raise InvalidInput("\n".join(bad[:20]) + more)
    return [line.prompt for line in lines if line.prompt is not None]


def _check_references(prompts: Sequence[Mapping[str, Any]], *, fits: bool) -> None:
    """Warn of prompts without a reference before anything is spent; raises InvalidInput where a fit would be vain."""
    n_lacking = sum(prompt.get("reference") is None for prompt in prompts)
    if fits and n_lacking == len(prompts):
        raise InvalidInput(
            "--fit learns from graded answers, and no prompt has a `reference`: add them, or leave it out"
        )
    if n_lacking:
        click.echo(
            f"warning: {n_lacking:,} of {len(prompts):,} prompts have no `reference`: nothing is learned from their "
            "answers until the same command has found one and graded them",
            err=True,
        )
