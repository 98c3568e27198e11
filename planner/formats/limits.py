"""Bounds of what a log may hold; every error that names one of them takes it from here."""

from __future__ import annotations

MAX_TEXT_BYTES = 1_000_000  # a prompt, answer or candidate text, in UTF-8: far past any context that is planned for
MAX_NAME_BYTES = 500  # ids and names are indexed, and PostgreSQL's index rows end at 2,700 bytes
MAX_LINE_BYTES = 64_000_000  # one line is held in memory
MAX_SCORE = 1e9  # no verifier scores so far out, and squares of what is farther overflow
MAX_INTEGER = 2**31 - 1  # integers are stored in four bytes

STATUSES = ("ok", "truncated", "error")
NAMES = frozenset(
    {"prompt_id", "dataset", "generator", "verifier", "run_id", "search", "selection", "recommendation_id"}
)
EMPTY_IS_NONE = NAMES | {"reference", "metadata", "params", "status", "samples", "started_at"}
"""Fields of a table in which the empty text, as of CSV that quotes every value, is no value."""
NUMBERED = frozenset({"prompt_id", "run_id", "answer", "reference"})
"""Fields of text in which a whole number stands for its digits, as in a CSV."""

_SHARE = "a number in 0..1 (true and false are read too), or null"
_NUMBER = f"a finite number (of at most {MAX_SCORE:,.0f} in size), or null"
_WHOLE = f"a whole number in 0..{MAX_INTEGER:,}, or null where it is unknown"
_FROM_ONE = f"a whole number in 1..{MAX_INTEGER:,}"
_TEXT = f"text of at most {MAX_TEXT_BYTES:,} bytes, or null"
_NAME = f"text of at most {MAX_NAME_BYTES} bytes, or null"
_AMOUNT = "a number of 0 or more, or null where it is unknown"

EXPECTED: dict[str, str] = {
    "prompt": _TEXT,
    "answer": _TEXT,
    "reference": _TEXT,
    "text": _TEXT,
    "prompt_id": _NAME,
    "run_id": _NAME,
    "dataset": _NAME,
    "verifier": _NAME,
    "recommendation_id": _NAME,
    "generator": f"the generator's name: text of 1 to {MAX_NAME_BYTES} bytes",
    "search": "the name of a search",
    "selection": "the name of a selection, or null",
    "breadth": _FROM_ONE,
    "depth": _FROM_ONE,
    "chain": f"a whole number in 0..{MAX_INTEGER:,}",
    "attempt": f"a whole number in 0..{MAX_INTEGER:,}",
    "stage": _WHOLE,
    "prompt_tokens": _WHOLE,
    "completion_tokens": _WHOLE,
    "verifier_tokens": _WHOLE,
    "verifier_calls": _WHOLE,
    "correct": _SHARE,
    "score": _NUMBER,
    "score_min": _NUMBER,
    "step_scores": "an array of finite numbers, or null",
    "usd": _AMOUNT,
    "latency_seconds": _AMOUNT,
    "propensity": "a number above 0 and at most 1, or null",
    "status": f"one of {', '.join(STATUSES)}",
    "started_at": "an ISO 8601 time with its zone, such as 2026-01-31T12:00:00Z",
    "params": "a JSON object",
    "metadata": "a JSON object",
    "samples": "an array of objects",
}
