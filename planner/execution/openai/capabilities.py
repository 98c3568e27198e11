from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

_MONTH_SECONDS = 30 * 86_400


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a server does with a model, as far as its answers have told; the defaults are what is tried first.

    chat: it has chat completions for the model (else completions alone).
    most_choices: choices that one request gives at most (a server that ignores `n` gives 1); None: as many as asked.
    stop, seed, temperature: it takes the member. stop False: answers are cut at stop texts here, and streamed (where
    stream is True), so that what follows need not be written.
    stop_after_prefix: a stop text at the end of a prefix is kept. Templates that trim messages lose it, and the model
    writes it again first: a stop would end the completion at once.
    greedy: it takes a temperature of 0 (else .01 is asked for).
    limit: the member that bounds completion tokens.
    continuation: how an answer's prefix is gone on from: the assistant's message left open
    (continue_final_message, add_generation_prompt false), a flat prompt at the completions route, or a user's
    message that asks to go on.
    """

    chat: bool = True
    most_choices: int | None = None
    stop: bool = True
    stop_after_prefix: bool = True
    stream: bool = True
    seed: bool = True
    temperature: bool = True
    greedy: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    continuation: Literal["final_message", "completions", "instruction"] = "final_message"

    def changes(self, other: Capabilities) -> dict[str, Any]:
        """The fields in which `other` differs, with its values."""
        return {name: value for name, value in asdict(other).items() if value != getattr(self, name)}


class CapabilityMemory:
    """What is known of each model at each server, kept in a small JSON file where a path is given.

    A file that cannot be read or written is done without: all of it can be learned again. What was learned is
    forgotten after 30 days, since servers are changed.
    """

    def __init__(self, path: Path | None = None, *, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._known: dict[str, dict[str, Any]] | None = None

    def of(self, server: str, model: str) -> Capabilities:
        """What is known of the model at the server of that URL."""
        entry = self._entries().get(_key(server, model), {})
        return replace(Capabilities(), **entry.get("capabilities", {}))

    def learn(self, server: str, model: str, **changes: Any) -> None:  # noqa: ANN401 - values of Capabilities' fields
        """Take in what an answer told."""
        known = self.of(server, model)
        after = replace(known, **changes)
        if after == known:
            return
        learned = Capabilities().changes(after)
        entries = {**self._read(), **self._entries()} if self._path else self._entries()
        entries[_key(server, model)] = {"learned_at": self._now(), "capabilities": learned}
        self._known = entries
        self._write()

    def _entries(self) -> dict[str, dict[str, Any]]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            read = json.loads(self._path.read_text("utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        oldest = self._now() - _MONTH_SECONDS
        entries = read.items() if isinstance(read, dict) else ()
        return {key: entry for key, entry in entries if _is_usable(entry, oldest)}

    def _write(self) -> None:
        if self._path is None:
            return
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._known, indent=1, sort_keys=True), "utf-8")
            os.replace(temporary, self._path)  # noqa: PTH105 - as Path.replace
        except OSError:
            with suppress(OSError):
                temporary.unlink()


def _key(server: str, model: str) -> str:
    return f"{server} {model}"


_ALLOWED: dict[str, Callable[[Any], bool]] = {
    "most_choices": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    "limit": lambda value: value in {"max_tokens", "max_completion_tokens"},
    "continuation": lambda value: value in {"final_message", "completions", "instruction"},
}
_FIELDS = {field.name for field in fields(Capabilities)}


def _is_usable(entry: Any, oldest: float) -> bool:  # noqa: ANN401 - read from a file that anybody may have changed
    if not isinstance(entry, dict) or not isinstance(entry.get("capabilities"), dict):
        return False
    learned_at = entry.get("learned_at")
    if not isinstance(learned_at, int | float) or learned_at < oldest:
        return False
    return all(
        name in _FIELDS and _ALLOWED.get(name, lambda value: isinstance(value, bool))(value)
        for name, value in entry["capabilities"].items()
    )
