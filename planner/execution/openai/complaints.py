"""Texts of errors about a server: host, model, status, the body's beginning and what to do; never a key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

SHOWN_CHARACTERS = 200

_ADVICE = {
    401: "check the API key (PLANNER_API_KEY)",
    403: "check the API key and what it may use (PLANNER_API_KEY)",
    404: "check the model's name and the URL, which mostly ends with /v1 (PLANNER_ENDPOINT_URL)",
    405: "check the URL, which mostly ends with /v1 (PLANNER_ENDPOINT_URL)",
    413: "shorten the prompt",
    429: "try later, or lower PLANNER_MAX_CONCURRENCY",
}


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, as they are and as JSON writes them."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    return text


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """The beginning of a body on one line; secrets go before the cut, which could leave half of one standing."""
    text = redacted(body.decode("utf-8", "replace"), secrets)
    text = "".join(char if char.isprintable() else " " for char in text)
    text = re.sub(r" +", " ", text).strip()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def answered(host: str, model: str | None, status: int, shown: str, *, advice: str | None = None) -> str:
    """What a server answered that is no success, and what to do about it: `advice`, else by the status."""
    about = "" if model is None else f" about model {model!r}"
    said = f": {shown}" if shown else " with an empty body"
    advice = advice or _ADVICE.get(
        status, "try later" if status >= 500 else "the request does not suit this server or model"
    )
    return f"{host} answered {status}{about}{said}; {advice}"
