"""`planner run`: recommend, carry out at an endpoint, grade and log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.budgets import Planned, planning_options
from planner.cli.common import json_option, json_text, open_planner, progress, writing
from planner.errors import EndpointError, InvalidInput, PlannerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from planner.cli.prompts import InputLine
    from planner.core import RunResult

UNNAMED = "(no prompt_id)"
INTERRUPTED = 130


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="JSON lines {prompt, prompt_id?, reference?, dataset?, metadata?}; - is stdin.",
)
@click.option("--endpoint", metavar="URL", help="Server of the models, or `lab`. [env PLANNER_ENDPOINT_URL]")
@planning_options
@click.option("--no-adapt", is_flag=True, help="Carry out the first plan, whatever its answers are.")
@click.option("--reference", metavar="TEXT", help="The right answer to PROMPT; it is graded by it.")
@click.option("--extract", metavar="NAME", help="How the answer is read from a text. [auto]")
@click.option("--grade", metavar="NAME", help="How an answer is compared with its reference. [numeric]")
@click.option("--choose", metavar="NAME", help="Choose the answer by this selection, such as medoid for free text.")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Requests side by side.")
@json_option
@click.option(
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of stdout.",
)
@click.pass_context
def run(
    context: click.Context,
    /,
    prompt: str | None,
    input_file: str | None,
    as_json: bool,
    output_file: Path | None,
    **options: Any,  # noqa: ANN401 - each typed by its option
) -> None:
    """Answer PROMPT (- reads it from stdin), or every line of --input: plan, carry the plan out, grade and log.

    \b
    planner run "How many primes are below 1000?" --max-tokens 8000 --endpoint http://localhost:8000/v1
    planner run --input prompts.jsonl --mean-usd 0.002 --json

    Ceilings are kept, and every run is logged with what it cost, also one that fails or is broken off (Ctrl-C).
    """  # noqa: D301 - click reads \b as "keep these lines"
    if (prompt is None) == (input_file is None):
        raise InvalidInput("give one prompt, - for standard input, or --input FILE")
    if input_file is not None and options["reference"] is not None:
        raise InvalidInput("--reference is for one prompt: with --input each line may have a `reference`")
    asked = Planned.of(options, many=input_file is not None)
    lines = _lines(prompt, input_file, options)
    if context.get_parameter_source("seed") is click.core.ParameterSource.DEFAULT:
        options["run_seed"] = None
    else:
        options["run_seed"] = options["seed"]
    from planner.cli.running import Batch

    batch = Batch(open_planner(), lines, asked, options)
    reads = (prompt if prompt == "-" else None, input_file, options["probes_file"])
    with writing(output_file, *reads) as write, progress("running") as report:

        def show(line: InputLine, result: RunResult | PlannerError) -> None:
            if isinstance(result, PlannerError) and input_file is None:
                raise result
            write(_text(line, result, as_json=as_json, many=input_file is not None))

        batch.run(show, report)
    if batch.interrupted:
        click.echo(f"interrupted: {batch.done} of {len(lines)} prompts are done; what was spent is logged", err=True)
        context.exit(INTERRUPTED)
    if batch.failures:
        text = f"{len(batch.failures)} of {len(lines)} prompts have no answer: their lines hold the reason"
        by_endpoint = any(isinstance(failure, EndpointError) for failure in batch.failures)
        raise EndpointError(text) if by_endpoint else InvalidInput(text)


def _lines(prompt: str | None, input_file: str | None, options: dict[str, Any]) -> Sequence[InputLine]:
    from planner.cli.prompts import InputLine, probes_of, read_input, read_probes, read_prompt

    probes = read_probes(options["probes_file"])
    if input_file is not None:
        return read_input(input_file, probes, with_reference=True)
    text = read_prompt(prompt or "")
    given = {"prompt": text, "reference": options["reference"], "probes": probes_of(probes, text)}
    return [InputLine(None, given)]


def _text(line: InputLine, result: RunResult | PlannerError, *, as_json: bool, many: bool) -> str:
    from planner.cli.text import run_text

    if isinstance(result, PlannerError):
        problem = {"prompt_id": line.prompt_id, "error": str(result)}
        return json_text(problem) if as_json else f"{line.prompt_id or UNNAMED}\nerror       {result}\n"
    if as_json:
        return json_text(result)
    return f"{result.prompt_id}\n{run_text(result)}\n" if many else run_text(result)
