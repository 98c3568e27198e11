"""`planner lab`: the tiny laboratory that is carried with the package."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import Any

import click

from planner.cli.common import json_option, open_planner
from planner.cli.explore import design_options, sweep, sweep_to_file
from planner.cli.lab_train import train
from planner.errors import InvalidInput

_SEARCHES = ("beam_search", "lookahead", "rebase", "tree_of_thoughts", "mcts")


@click.group()
def lab() -> None:
    """The tiny laboratory: real small models on word arithmetic, offline."""


lab.add_command(train)


@lab.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8322, show_default=True, help="0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve the lab's models to any OpenAI client; Ctrl-C ends it.

    Models: lab-small, lab-large, lab-reviser (/v1/chat/completions, /v1/completions) and the verifier lab-prm
    (/v1/score: {model, prompt, completions} gives a score for each step). No key is asked for.
    """
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise InvalidInput(f"serving needs the package {package}: pip install 'planner[serve]'")
    import uvicorn

    from planner.lab.server.app import create_app
    from planner.service.listening import check_free

    check_free(host, port)
    config = uvicorn.Config(
        create_app(), host=host, port=port, log_level="warning", access_log=False, server_header=False
    )
    socket = config.bind_socket()
    socket.listen(config.backlog)  # who reads the line below may ask at once
    click.echo(f"http://{host}:{socket.getsockname()[1]}/v1  (Ctrl-C ends it)", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[socket])


@lab.command()
@click.option("--problems", "n_problems", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@click.option(
    "--search",
    "searches",
    type=click.Choice(_SEARCHES),
    multiple=True,
    default=_SEARCHES,
    help="Tree searches; repeatable. [all]",
)
@click.option(
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write JSON Lines to this file instead of the store.",
)
@design_options
@json_option
@click.pass_context
def explore(
    context: click.Context,
    /,
    n_problems: int,
    searches: tuple[str, ...],
    output_file: Path | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - of the design
) -> None:
    """Run every strategy on fresh problems, none of them in the bundled logs, and log it.

    \b
    planner lab explore --problems 400 --seed 1 --output lab.runs.jsonl
    planner lab explore --problems 50 --rollouts 8 --max-flops 1e12 --fit
    """  # noqa: D301 - click reads \b as "keep these lines"
    from planner.lab.problems import problems

    seed = options["seed"]
    prompts = [
        {
            "prompt": one.prompt,
            "prompt_id": f"lab-fresh-{seed}-{number:05}",
            "reference": one.reference,
            "dataset": "lab-fresh",
            "metadata": {"n_steps": one.n_steps},
        }
        for number, one in enumerate(problems(n_problems, seed=seed))
    ]
    asked = {"endpoint": "lab", "searches": searches}
    if output_file is None:
        sweep(context, open_planner(create=True), prompts, asked, options, as_json=as_json)
    else:
        sweep_to_file(output_file, prompts, asked, options, as_json=as_json)
