"""Functions of the user's own, named `module:function`, run beside the event loop."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any

from planner.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_function_name(text: str) -> bool:
    """Whether the text has the form `module:function`."""
    return _NAME.fullmatch(text) is not None


def load_function(name: str) -> Callable[..., Any]:
    """The function of that name. Raises InvalidInput where it cannot be imported or is none."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"{name} cannot be loaded: {error}; is its folder on PYTHONPATH?") from error
    if not callable(found):
        raise InvalidInput(f"{name} is no function")
    function: Callable[..., Any] = found
    return function


async def call(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - whatever it returns
    """What the function returns; one that is not async runs in a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    return await asyncio.to_thread(function, *arguments)
