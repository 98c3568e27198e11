"""`planner lab`: the tiny laboratory that is carried with the package."""

from __future__ import annotations

import importlib.util

import click

from planner.errors import InvalidInput


@click.group()
def lab() -> None:
    """The tiny laboratory: real small models on word arithmetic, offline."""


@lab.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8322, show_default=True)
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

    click.echo(f"http://{host}:{port}/v1  (Ctrl-C ends it)", err=True)
    uvicorn.run(create_app(), host=host, port=port, log_level="warning", access_log=False, server_header=False)
