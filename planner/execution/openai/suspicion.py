"""Which member of a refused request the server does not bear: what it names, else what is most often refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from planner.execution.openai.answer import Answer
from planner.execution.openai.capabilities import Capabilities

_REFUSALS = frozenset({400, 404, 405, 422, 500, 501})
"""Statuses with which servers refuse a member, a route or a way to go on."""

_MISSING = frozenset({404, 405})
_NAMED = {
    "final_message": re.compile(
        r"continue_final_message|add_generation_prompt|prefill|(last|final) message|roles must alternate"
    ),
    "stop": re.compile(r"\bstop(_strings?|_sequences?|_words)?\b"),
    "seed": re.compile(r"\bseed\b"),
    "stream": re.compile(r"\bstream(ing)?\b"),
    "temperature": re.compile(r"\btemperature\b"),
    "greedy": re.compile(r"\btemperature\b"),
    "max_completion_tokens": re.compile(r"\bmax_completion_tokens\b"),
    "max_tokens": re.compile(r"\bmax_tokens\b"),
    "n": re.compile(
        r"['\"`]n['\"`]|\bn\s*(=|>|<|must|should|is|has to|greater|other)|parameter:? n\b|num_return_sequences"
    ),
    "chat": re.compile(r"chat[ _]template|not a chat model|does not support chat"),
    "completions": re.compile(r"chat model|v1/completions"),
}
# By how often servers are known to fail on them without a word.
_USUAL = (
    "final_message",
    "completions",
    "stop",
    "n",
    "max_completion_tokens",
    "max_tokens",
    "seed",
    "greedy",
    "temperature",
)


def other_ways(
    answer: Answer, members: frozenset[str], way: Capabilities, model: str, *, is_first: bool
) -> list[Capabilities]:
    """How to ask next: without the members that the refusal names.

    Where it names none: by another route where this one is missing, else, if nothing else was tried before, without
    each that may be at fault.
    """
    if answer.status not in _REFUSALS:
        return []
    if found := named(answer, members):
        return [without(way, found)]
    if not is_first and answer.status not in _MISSING:
        return []
    return [without(way, left_out) for left_out in suspected(answer, members, model)]


def named(answer: Answer, members: frozenset[str]) -> frozenset[str]:
    """The members of the request that the refusal names."""
    if answer.status in _MISSING:
        return frozenset()
    fields = " ".join(_fields(answer.data))
    said = fields or answer.text
    found = {name for name in members if name in _NAMED and _NAMED[name].search(said)}
    if fields:
        found |= {"n"} & members if re.search(r"(^|[ .])n($|[ .])", fields) else set()
    return frozenset(found)


def suspected(answer: Answer, members: frozenset[str], model: str) -> list[frozenset[str]]:
    """What to leave out, one try after another, where the refusal names nothing."""
    if answer.status in _MISSING:
        route = members & {"chat", "completions"}
        return [] if model in answer.text else [route & {name} for name in ("completions", "chat") if name in route]
    singles = [frozenset({name}) for name in _USUAL if name in members]
    return singles if len(singles) < 2 else [*singles, frozenset().union(*singles)]


def without(known: Capabilities, members: frozenset[str]) -> Capabilities:
    """The capabilities of a server that does not bear these members."""
    for name in members:
        known = _without(known, name)
    return known


def _without(known: Capabilities, name: str) -> Capabilities:
    changes: dict[str, dict[str, Any]] = {
        "n": {"most_choices": 1},
        "stop": {"stop": False},
        "seed": {"seed": False},
        "stream": {"stream": False},
        "temperature": {"temperature": False},
        "greedy": {"greedy": False},
        "max_tokens": {"limit": "max_completion_tokens"},
        "max_completion_tokens": {"limit": "max_tokens"},
        "chat": {"chat": False},
        "final_message": {"continuation": "completions"},
        "completions": {"continuation": "instruction"},
    }
    return replace(known, **changes[name])


def _fields(data: Any) -> list[str]:  # noqa: ANN401 - what a server sends may be anything
    """Names that a structured refusal points at: OpenAI's error.param, FastAPI's detail[].loc."""
    if not isinstance(data, dict):
        return []
    error = data.get("error")
    found = [error.get("param")] if isinstance(error, dict) else []
    detail = data.get("detail")
    for item in detail if isinstance(detail, list) else ():
        place = item.get("loc") if isinstance(item, dict) else None
        found += place[-1:] if isinstance(place, list) else []
    return [name for name in found if isinstance(name, str)]
