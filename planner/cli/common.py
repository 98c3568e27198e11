"""What commands share: settings, the store, JSON on stdout, progress on stderr."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

    from planner.api import Planner
    from planner.config import Settings
    from planner.store import Store

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")

_SHOW_AFTER_SECONDS = 0.5
M = TypeVar("M", bound="BaseModel")


def settings() -> Settings:
    """Settings of this invocation: flags of the main command, environment, `planner.toml`, defaults."""
    from planner.config import Settings

    flags = click.get_current_context().find_root().obj or {}
    return _with_logging(Settings.load(**flags))


def open_store(*, create: bool = True) -> Store:
    """The configured store, closed when the command ends; a new SQLite file is made where `create`."""
    from planner.store import Store

    store = Store.open(settings().database_url, create=create)
    click.get_current_context().call_on_close(store.close)
    return store


def open_planner(*, create: bool = False) -> Planner:
    """The facade over the configured store and artifacts, closed (and flushed) when the command ends."""
    from planner.api import Planner

    planner = Planner.open(settings=settings(), create=create)
    click.get_current_context().call_on_close(planner.close)
    return planner


def echo_json(value: BaseModel | dict[str, Any] | list[Any]) -> None:
    """One line of JSON on stdout: the model's own, or that of plain data (NaN and infinity become null)."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """JSON of a model or of plain data that holds models; what is not finite becomes null."""
    from pydantic import BaseModel
    from pydantic_core import to_json

    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return to_json(value, inf_nan_mode="null").decode()


def parsed(model: type[M], value: object, what: str) -> M:
    """The model made of plain data; raises InvalidInput that names what was given and each bad field."""
    from pydantic import ValidationError

    from planner.errors import InvalidInput

    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(f"{what} cannot be used: {'; '.join(map(_problem, error.errors()))}") from error


def _problem(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors: the field, if it is about one, and what is wrong."""
    message = error["msg"].removeprefix("Value error, ")
    return f"{'.'.join(map(str, error['loc']))}: {message}" if error["loc"] else message


@contextlib.contextmanager
def writing(path: Path | None, *reads: str | None) -> Iterator[Callable[[str], None]]:
    """Yield what writes a line of data: to stdout, or to a file that appears whole or not at all.

    reads: files that the command reads, `-` for standard input.
    Raises InvalidInput where no file can be made at `path`, and where it is one of these, or the store's own.
    """
    if path is None:
        yield click.echo
        return
    from planner.core.whole_file import STDIN, whole_file

    inputs = [STDIN if name == "-" else Path(name) for name in reads if name is not None]
    with whole_file(path, reads=[*inputs, *_own_files()]) as file:
        yield lambda line: print(line, file=file)


def _own_files() -> list[Path]:
    """Files that settings and store are kept in."""
    # SQLAlchemy, which reads such URLs, takes longer to load than a plan does
    found = re.match(r"sqlite(?:\+\w+)?:///(?:file:)?([^?]+)", settings().database_url)
    store = [Path(found[1] + ending) for ending in ("", "-wal", "-shm", "-journal")] if found else []
    return [Path("planner.toml"), *store]


class Report(Protocol):
    """Receives progress: how much is done, of how much (None: unknown), and what is being done."""

    def __call__(self, done: float, total: float | None = None, stage: str | None = None, /) -> None:
        """Show it, or not."""


@contextlib.contextmanager
def progress(description: str) -> Iterator[Report]:
    """A progress bar on stderr for whatever takes longer than a blink; silent when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield _ignore
        return
    with contextlib.ExitStack() as stack:
        yield _bar(description, stack)


def _ignore(_done: float, _total: float | None = None, _stage: str | None = None, /) -> None:
    return


def _bar(description: str, stack: contextlib.ExitStack) -> Report:
    started = time.monotonic()
    update: Callable[..., None] | None = None

    def report(done: float, total: float | None = None, stage: str | None = None, /) -> None:
        nonlocal update
        if update is None:
            if time.monotonic() - started < _SHOW_AFTER_SECONDS and not stage:
                return
            update = _start_bar(description, stack)
        update(done, total, stage or description)

    return report


def _start_bar(description: str, stack: contextlib.ExitStack) -> Callable[..., None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
    task = bar.add_task(description, total=None)

    def update(done: float, total: float | None, stage: str) -> None:
        bar.update(task, completed=done, total=total, description=stage)

    return update


def _with_logging(loaded: Settings) -> Settings:
    import logging

    logging.basicConfig(stream=sys.stderr, level=loaded.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    return loaded
