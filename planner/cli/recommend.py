"""`planner recommend`: which arm a prompt's budget is best spent on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.budgets import Planned, planning_options
from planner.cli.common import json_option, json_text, open_planner, progress, writing
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from planner.api import Planner
    from planner.cli.prompts import InputLine
    from planner.core import Recommendation


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="JSON lines {prompt, prompt_id?, dataset?, metadata?}, as of `planner run`; - is stdin.",
)
@planning_options
@click.option("--explain", is_flag=True, help="Also what it rests on, and the runners-up.")
@json_option
@click.option(
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of stdout.",
)
def recommend(
    prompt: str | None,
    input_file: str | None,
    explain: bool,
    as_json: bool,
    output_file: Path | None,
    **options: Any,  # noqa: ANN401 - budgets and restrictions, each typed by its option
) -> None:
    """Recommend an arm for PROMPT (- reads it from stdin), or for every line of --input.

    \b
    planner recommend "How many primes are below 1000?" --max-tokens 8000
    planner recommend --input prompts.jsonl --mean-usd 0.002 --max-usd 0.02 --json
    """  # noqa: D301 - click reads \b as "keep these lines"
    if (prompt is None) == (input_file is None):
        raise InvalidInput("give one prompt, - for standard input, or --input FILE")
    asked = Planned.of(options, many=input_file is not None)
    from planner.cli.prompts import probes_of, read_input, read_probes, read_prompt

    probes = read_probes(options["probes_file"])
    planner = open_planner()
    with writing(output_file, prompt if prompt == "-" else None, input_file, options["probes_file"]) as write:
        if input_file is None:
            text = read_prompt(prompt or "")
            plan = planner.recommend(text, asked.budget, probes=probes_of(probes, text), **asked.restrictions)
            write(json_text(plan) if as_json else _readable(plan, explain=explain))
            return
        lines = read_input(input_file, probes)
        answers = _answers(planner, lines, asked)
        failed = _write_all(answers, lines, write, as_json=as_json, explain=explain)
    if failed:
        raise InvalidInput(f"{failed} of {len(lines)} prompts have no recommendation: their lines hold the reason")


def _answers(planner: Planner, lines: Sequence[InputLine], asked: Planned) -> Iterator[Recommendation | Exception]:
    """One answer a line, in order; good lines are answered together."""
    with progress("recommending") as report:
        for first, part in asked.chunks(lines):
            good = [line.prompt for line in part if line.prompt is not None]
            plans = iter(planner.recommend_batch(good, asked.budget, **asked.for_batch) if good else ())
            for line in part:
                yield line.error if line.error is not None else next(plans)
            report(first + len(part), len(lines))


def _write_all(
    answers: Iterator[Recommendation | Exception],
    lines: Sequence[InputLine],
    write: Callable[[str], None],
    *,
    as_json: bool,
    explain: bool,
) -> int:
    """Write every answer in order, and return how many are errors."""
    failed = 0
    for line, answer in zip(lines, answers, strict=True):
        if isinstance(answer, Exception):
            failed += 1
            problem = {"prompt_id": line.prompt_id, "error": str(answer)}
            write(json_text(problem) if as_json else f"{line.prompt_id or UNNAMED}\nerror       {answer}\n")
        else:
            write(json_text(answer) if as_json else f"{answer.prompt_id}\n{_readable(answer, explain=explain)}\n")
    return failed


UNNAMED = "(no prompt_id)"


def _readable(plan: Recommendation, *, explain: bool) -> str:
    from planner.cli.text import recommendation_text

    return recommendation_text(plan, explain=explain)
