"""The command line: one group of nouns, each in a file of its own that is imported when it is asked for."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import sys
from typing import Any, NamedTuple

import click

from planner.errors import PlannerError

INTERRUPTED = 130
NEW_OBJECTS = 200_000
"""So many are made between two looks for cycles. What is loaded holds none, yet to find that out, again and again and
once more at the end, takes a quarter of a cold start."""


class _Noun(NamedTuple):
    module: str
    command: str
    summary: str


# Help is listed from here: importing a command to read its help would cost what the command imports.
_NOUNS = {
    "demo": _Noun("planner.cli.demo", "demo", "Import bundled logs, fit a policy and recommend, offline."),
    "db": _Noun("planner.cli.db", "db", "Create, upgrade and look at the store's schema."),
    "models": _Noun("planner.cli.models", "models", "Model cards: parameters, prices, speed."),
    "logs": _Noun("planner.cli.logs", "logs", "Import, list, export, undo and delete logged runs."),
    "grade": _Noun("planner.cli.grade", "grade", "Say of a logged run whether its answer is correct."),
    "fit": _Noun("planner.cli.fit", "fit", "Fit a policy from the logs, and promote it if it is not worse."),
    "policies": _Noun("planner.cli.policies", "policies", "List, show, promote, roll back and verify fitted policies."),
    "recommend": _Noun("planner.cli.recommend", "recommend", "Say which arm a prompt's budget is best spent on."),
    "lab": _Noun("planner.cli.lab", "lab", "The tiny laboratory: real small models to serve and to explore."),
    "serve": _Noun("planner.cli.serve", "serve", "Recommendations over HTTP, a gateway, a page to look at."),
    "run": _Noun("planner.cli.run", "run", "Recommend, carry out at an endpoint, grade and log."),
    "explore": _Noun("planner.cli.explore", "explore", "Draw answers to many prompts at an endpoint, and log them."),
    "curves": _Noun("planner.cli.curves", "curves", "Accuracy against budget of every arm, by bin of difficulty."),
    "evaluate": _Noun(
        "planner.cli.evaluate", "evaluate", "Measure the policy against its baselines, on folds by prompt."
    ),
    "export": _Noun("planner.cli.export", "export", "Write training data for verifiers and revisers from the logs."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported by name, and the one place where errors become exit codes."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's own signature
        gc.set_threshold(NEW_OBJECTS)
        atexit.register(gc.freeze)
        return super().main(*args, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(_NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _NOUNS:
            return None
        noun = _NOUNS[cmd_name]
        command = getattr(importlib.import_module(noun.module), noun.command)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, noun.summary) for name, noun in _NOUNS.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except PlannerError as error:
            _fail(ctx, str(error), error.exit_code)
        except KeyboardInterrupt:
            _fail(ctx, "interrupted; what had not been finished is as it was before", INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has gone: click ends quietly
                raise
            _fail(ctx, f"{error.filename or 'system'}: {error.strerror or error}", PlannerError.exit_code)


def _fail(ctx: click.Context, message: str, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    ctx.exit(code)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from planner import __version__

        click.echo(f"planner {__version__}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database-url", metavar="URL", help="The store. [env PLANNER_DATABASE_URL; sqlite:///planner.db]")
@click.option(
    "--artifact-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Fitted policies. [env PLANNER_ARTIFACT_DIR; beside the store]",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version.",
)
@click.pass_context
def main(ctx: click.Context, database_url: str | None, artifact_dir: str | None) -> None:
    """Plan where a prompt's budget is best spent: which search, selection and model, from your own logs.

    `planner demo` shows the whole way on bundled logs. Data goes to stdout, progress and logs to stderr.
    Exit codes: 0 ok, 2 bad input, 3 not ready, 4 artifact, 5 store, 6 endpoint.
    """
    ctx.obj = {"database_url": database_url, "artifact_dir": artifact_dir}


if __name__ == "__main__":
    sys.exit(main())
