"""Prompts and probes from files of JSON lines; a bad line becomes that line's error."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.core import Probe
from planner.errors import InvalidInput

_MEMBERS = {"prompt", "prompt_id", "dataset", "metadata"}
Probes = Mapping[str | None, tuple[Probe, ...]]


@dataclass(frozen=True)
class InputLine:
    """One line of an input file: a prompt to be answered, or why it cannot be."""

    prompt_id: str | None
    prompt: dict[str, Any] | None = None
    error: InvalidInput | None = None


def read_input(path: str, probes: Probes) -> list[InputLine]:
    """Every prompt of the file (`-`: standard input), with the probes that bear its prompt_id.

    Raises InvalidInput where the file cannot be read or holds no line.
    """
    lines = [_line(path, number, raw, probes) for number, raw in _raw_lines(path)]
    if not lines:
        raise InvalidInput(f'{path} holds no prompts: write one JSON object a line, {{"prompt": "..."}}')
    return lines


def read_probes(path: str | None) -> Probes:
    """Samples already drawn, by prompt_id (None: the one prompt that is asked for).

    Raises InvalidInput naming line and field.
    """
    found: dict[str | None, list[Probe]] = defaultdict(list)
    from planner.cli.common import parsed  # noqa: PLC0415 - it would import this module's caller

    for number, raw in _raw_lines(path) if path else ():
        where = f"{path}:{number}"
        value = _object(where, raw)
        prompt_id = value.pop("prompt_id", None)
        found[prompt_id].append(parsed(Probe, value, where))
    return {prompt_id: tuple(some) for prompt_id, some in found.items()}


def _raw_lines(path: str) -> list[tuple[int, bytes]]:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    return [(number, raw) for number, raw in enumerate(data.split(b"\n"), 1) if raw.strip()]


def _line(path: str, number: int, raw: bytes, probes: Probes) -> InputLine:
    where = f"{path}:{number}"
    prompt_id: str | None = None
    try:
        value = _object(where, raw)
        given = value.get("prompt_id")
        if given is not None and not isinstance(given, str):
            raise InvalidInput(f"{where}: prompt_id: expected text")
        prompt_id = given
        unknown = sorted(value.keys() - _MEMBERS)
        if unknown:
            raise InvalidInput(f"{where}: {unknown[0]}: unknown member; there are {', '.join(sorted(_MEMBERS))}")
        value["prompt"] = _prompt(where, value.get("prompt"))
        for name, kind, words in (("dataset", str, "text"), ("metadata", dict, "an object")):
            if value.get(name) is not None and not isinstance(value[name], kind):
                raise InvalidInput(f"{where}: {name}: expected {words}")
    except InvalidInput as error:
        return InputLine(prompt_id, error=error)
    return InputLine(prompt_id, prompt={**value, "probes": probes.get(prompt_id, ())})


def _prompt(where: str, value: object) -> str:
    from planner.api import prompt_text  # noqa: PLC0415 - the facade is loaded when a prompt is at hand

    try:
        return prompt_text(value)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: prompt: {error}") from error


def _object(where: str, raw: bytes) -> dict[str, Any]:
    import json  # noqa: PLC0415

    try:
        value = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{where}: not a JSON object in UTF-8: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: expected a JSON object")
    return value


__all__: Sequence[str] = ("InputLine", "read_input", "read_probes")
