"""`planner recommend`: which arm a prompt's budget is best spent on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.common import json_option, json_text, open_planner, progress, writing
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from planner.api import Planner
    from planner.cli.prompts import InputLine
    from planner.core import Budget, Recommendation

CHUNK = 2000
_Command = Any


def _limits(prefix: str, what: str, *units: str) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for unit in reversed(units):
            name = f"{prefix}_{unit}" + ("_seconds" if unit == "latency" else "")
            words = {"latency": "seconds", "flops": "FLOPs", "usd": "USD"}.get(unit, unit)
            option = click.option(f"--{prefix}-{unit}", name, type=float, metavar="X", help=what.format(words))
            command = option(command)
        return command

    return decorate


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "--input", "input_file", metavar="FILE", help="JSON lines {prompt, prompt_id?, dataset?, metadata?}; - is stdin."
)
@_limits("max", "Ceiling of one prompt, in {}.", "generations", "tokens", "flops", "usd", "latency")
@_limits("mean", "Average over traffic, in {}.", "generations", "tokens", "flops", "usd")
@_limits("total", "With --input: all prompts together, in {}.", "generations", "tokens", "flops", "usd")
@click.option(
    "--target-accuracy", type=float, metavar="A", help="The cheapest arm that reaches it; a budget is optional."
)
@click.option(
    "--probes",
    "probes_file",
    metavar="FILE",
    help="JSON lines of samples already drawn {answer, score, correct, prompt_id?}.",
)
@click.option("--arm", "arm_json", metavar="JSON", help="Force this arm, and forecast it.")
@click.option(
    "--generator", "generators", multiple=True, metavar="NAME", help="Only arms of this generator; repeatable."
)
@click.option("--search", "searches", multiple=True, metavar="NAME", help="Only arms of this search; repeatable.")
@click.option(
    "--selection", "selections", multiple=True, metavar="NAME", help="Only arms of this selection; repeatable."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw between two mixed arms.")
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
    probes_file: str | None,
    arm_json: str | None,
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
    budget, total = _budget(options), _total(options)
    if total is not None and input_file is None:
        raise InvalidInput("a total is for many prompts: give --input FILE, or a ceiling with --max-...")
    asked: dict[str, Any] = {
        "target_accuracy": options["target_accuracy"],
        "arm": _arm(arm_json),
        "generators": options["generators"],
        "searches": options["searches"],
        "selections": options["selections"],
        "seed": options["seed"],
    }
    from planner.cli.prompts import read_input, read_probes

    probes = read_probes(probes_file)
    planner = open_planner()
    with writing(output_file) as write:
        if input_file is None:
            text = sys.stdin.buffer.read().decode("utf-8", "replace") if prompt == "-" else prompt or ""
            plan = planner.recommend(text, budget, probes=probes.get(None, ()), **asked)
            write(json_text(plan) if as_json else _readable(plan, explain=explain))
            return
        lines = read_input(input_file, probes)
        answers = _answers(planner, lines, budget, total, asked)
        failed = _write_all(answers, lines, write, as_json=as_json, explain=explain)
    if failed:
        raise InvalidInput(f"{failed} of {len(lines)} prompts have no recommendation: their lines hold the reason")


def _answers(
    planner: Planner, lines: Sequence[InputLine], budget: Budget | None, total: Budget | None, asked: dict[str, Any]
) -> Iterator[Recommendation | Exception]:
    """One answer a line, in order; good lines are answered together."""
    chunk = len(lines) if total is not None else CHUNK
    with progress("recommending") as report:
        for first in range(0, len(lines), chunk):
            part = lines[first : first + chunk]
            good = [line.prompt for line in part if line.prompt is not None]
            if total is not None and good:
                plans = iter(planner.recommend_batch(good, budget, total=total, **_for_totals(asked)))
            else:
                plans = iter(planner.recommend_batch(good, budget, **asked))
            for line in part:
                yield line.error if line.error is not None else next(plans)
            report(first + len(part), len(lines))


def _for_totals(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["target_accuracy"] is not None or asked["arm"] is not None:
        raise InvalidInput("a total is allocated where it pays: leave out --target-accuracy and --arm")
    return {name: asked[name] for name in ("generators", "searches", "selections")}


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


def _budget(options: dict[str, Any]) -> Budget | None:
    from planner.cli.common import parsed
    from planner.core import Budget

    limits = {k: v for k, v in options.items() if k.startswith(("max_", "mean_")) and v is not None}
    return parsed(Budget, limits, "the budget") if limits else None


def _total(options: dict[str, Any]) -> Budget | None:
    from planner.cli.common import parsed
    from planner.core import Budget

    limits = {
        f"max_{k.removeprefix('total_')}": v for k, v in options.items() if k.startswith("total_") and v is not None
    }
    return parsed(Budget, limits, "the total") if limits else None


def _arm(text: str | None) -> Any:  # noqa: ANN401 - an Arm or None; its module loads late
    if text is None:
        return None
    import json

    from planner.cli.common import parsed
    from planner.core import Arm

    try:
        raw = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f'--arm is not JSON ({error}): write --arm \'{{"generator": "..."}}\'') from error
    return parsed(Arm, raw, "--arm")
