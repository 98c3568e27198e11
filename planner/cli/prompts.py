"""Prompts and probes from files of JSON lines; a bad line becomes that line's error."""

from __future__ import annotations

import codecs
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.cli.common import parsed
from planner.errors import InvalidInput

if TYPE_CHECKING:
    from planner.core import Probe

_MEMBERS = {"prompt", "prompt_id", "dataset", "metadata", "reference"}
_NAMES = {"prompt_id", "dataset"}
Probes = Mapping[str | None, "tuple[Probe, ...]"]


@dataclass(frozen=True)
class InputLine:
    """One line of an input file: a prompt to be answered, or why it cannot be.

    `prompt_id` is the line's own, else the prompt's hash; None where the line holds no prompt.
    """

    prompt_id: str | None
    prompt: dict[str, Any] | None = None
    error: InvalidInput | None = None


def read_input(path: str, probes: Probes, *, with_reference: bool = False) -> list[InputLine]:
    """Every prompt of the file (`-`: standard input), with the probes that bear its prompt_id.

    with_reference: keep the `reference` of a line, the answer that is right; who only plans has no use for it, and is
    given the same file as who runs.

    Raises InvalidInput where the file cannot be read or holds no line, and for probes of a prompt not in it.
    """
    lines = [_line(path, number, raw) for number, raw in _raw_lines(path)]
    if not lines:
        raise InvalidInput(f'{path} holds no prompts: write one JSON object a line, {{"prompt": "..."}}')
    matched = _matched(probes, [line.prompt_id for line in lines])
    for line in lines:
        if line.prompt is not None:
            line.prompt["probes"] = matched.get(line.prompt_id, ())
            if not with_reference:
                line.prompt.pop("reference", None)
    return lines


def read_prompt(given: str) -> str:
    """The prompt of the command line; `-` is read from standard input.

    Raises InvalidInput for what is no UTF-8, and for what no log could hold.
    """
    if given != "-":
        _storable("PROMPT", "prompt", given)
        return given
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"standard input: prompt: is no valid UTF-8 ({error})") from error
    _storable("standard input", "prompt", text)
    return text


def read_probes(path: str | None) -> Probes:
    """Samples already drawn, one JSON object a line or one JSON array, by prompt_id (None: the one prompt asked for).

    Raises InvalidInput naming line (or place in the array) and field.
    """
    if path is None:
        return {}
    from planner.core import Probe  # few who plan give any

    found: dict[str | None, list[Probe]] = defaultdict(list)
    for where, value in _probe_objects(path):
        prompt_id = _member(where, value, "prompt_id", str, "text")
        probe = {name: given for name, given in value.items() if name != "prompt_id"}
        found[prompt_id].append(parsed(Probe, probe, where))
    return {prompt_id: tuple(some) for prompt_id, some in found.items()}


def probes_of(probes: Probes, text: str) -> tuple[Probe, ...]:
    """The probes of the one prompt asked for; raises InvalidInput for those of another."""
    from planner.policy.prompt import PromptInput

    own = PromptInput(text).id
    return _matched(probes, [own]).get(own, ())


def _matched(probes: Probes, prompt_ids: Sequence[str | None]) -> Probes:
    """Probes by prompt, those without a prompt_id with the only one."""
    known = set(prompt_ids)
    unknown = [name for name in probes if name is not None and name not in known]
    if unknown:
        raise InvalidInput(f"--probes: prompt_id {unknown[0]!r} is of no prompt that is asked for")
    nameless = probes.get(None, ())
    if not nameless:
        return probes
    if len(prompt_ids) > 1:
        raise InvalidInput(
            f"--probes: prompt_id is missing: say of which of the {len(prompt_ids):,} prompts a probe is"
        )
    return {prompt_ids[0]: (*probes.get(prompt_ids[0], ()), *nameless)}


def _probe_objects(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = _raw_lines(path)
    if not lines or not lines[0][1].lstrip().startswith(b"["):
        for number, raw in lines:
            where = f"{path}:{number}"
            yield where, _object(where, raw)
        return
    # Line breaks may stand anywhere in an array: it is one value, and places in it are told instead of lines.
    for place, value in enumerate(_json(path, b"\n".join(raw for _, raw in lines), "JSON array")):
        where = f"{path}[{place}]"
        yield where, _as_object(where, value)


def _raw_lines(path: str) -> list[tuple[int, bytes]]:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    return [(number, raw) for number, raw in enumerate(lines, 1) if raw.strip()]


def _line(path: str, number: int, raw: bytes) -> InputLine:
    where = f"{path}:{number}"
    prompt_id: str | None = None
    try:
        value = _object(where, raw)
        prompt_id = _member(where, value, "prompt_id", str, "text")
        unknown = sorted(value.keys() - _MEMBERS)
        _require(not unknown, f"{where}: {', '.join(unknown)}: unknown; there are {', '.join(sorted(_MEMBERS))}")
        if isinstance(value.get("reference"), int | float):
            value["reference"] = str(value["reference"])
        _member(where, value, "reference", str, "text or a number")
        _member(where, value, "dataset", str, "text")
        _member(where, value, "metadata", dict, "an object")
        for name in sorted(_MEMBERS - {"prompt", "metadata"}):
            _storable(where, name, value.get(name) or "")
        text_id = _text_id(where, value.get("prompt"))
    except InvalidInput as error:
        return InputLine(prompt_id, error=error)
    return InputLine(prompt_id or text_id, prompt=value)


def _member(where: str, value: dict[str, Any], name: str, kind: type, words: str) -> Any:  # noqa: ANN401 - of `kind`
    given = value.get(name)
    _require(given is None or isinstance(given, kind), f"{where}: {name}: expected {words}")
    return given


def _require(fine: bool, otherwise: str) -> None:
    if not fine:
        raise InvalidInput(otherwise)


def _text_id(where: str, value: object) -> str:
    """What a prompt without an id is known as; raises InvalidInput for one that is neither text nor messages."""
    from planner.policy.chat import prompt_text
    from planner.policy.prompt import PromptInput

    try:
        text = prompt_text(value)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: prompt: {error}") from error
    _storable(where, "prompt", text)
    return PromptInput(text).id


def _storable(where: str, name: str, text: str) -> None:
    """Raise InvalidInput, in the words of an import, for a text that no log could hold."""
    # To load the import takes longer than a plan: most texts are plainly within its limits.
    if len(text) <= (100 if name in _NAMES else 100_000) and "\0" not in text and _is_utf8(text):
        return
    from planner.formats.limits import MAX_NAME_BYTES, MAX_TEXT_BYTES
    from planner.formats.values import text_problem

    limit = MAX_NAME_BYTES if name in _NAMES else MAX_TEXT_BYTES
    problem = text_problem(text, limit)
    _require(problem is None, f"{where}: {name}: {problem}, expected text of at most {limit:,} bytes")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(where: str, raw: bytes) -> dict[str, Any]:
    return _as_object(where, _json(where, raw, "JSON object"))


def _json(where: str, raw: bytes, kind: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"{where}: not a {kind} in UTF-8: {error}") from error
    except ValueError as error:
        raise InvalidInput(f"{where}: line: holds a number of thousands of digits, expected usual length") from error


def _as_object(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: expected a JSON object")
    return value
