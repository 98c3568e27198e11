"""How scores are asked for and read, by protocol: routes, bodies and the member that holds a candidate's scores."""

from __future__ import annotations

from typing import Any, Literal

from planner.core import Verify
from planner.execution.openai.tokens import plain_text

Protocol = Literal["steps", "pairs", "pooling"]

ORDER: tuple[Protocol, ...] = ("steps", "pairs", "pooling")
"""In which they are tried."""
ROUTES: dict[Protocol, str] = {"steps": "/score", "pairs": "/score", "pooling": "//pooling"}
"""Below the base URL; vLLM has /pooling at its root."""


def prompt_text(request: Verify) -> str:
    """The conversation that the candidates answer, as one text."""
    return "\n".join(plain_text(message.content) for message in request.messages)


def bodies(protocol: Protocol, request: Verify, model: str, *, separator: str, tag: str | None) -> list[dict[str, Any]]:
    """JSON bodies: one for all candidates, or (pooling) one for each."""
    if protocol == "steps":
        return [{"model": model, "prompt": prompt_text(request), "completions": list(request.candidates)}]
    if protocol == "pairs":
        return [{"model": model, "text_1": prompt_text(request), "text_2": list(request.candidates)}]
    asked = [{"role": message.role, "content": message.content} for message in request.messages]
    texts = (candidate if tag is None else tagged(candidate, separator, tag) for candidate in request.candidates)
    return [{"model": model, "messages": [*asked, {"role": "assistant", "content": text}]} for text in texts]


def items(protocol: Protocol, data: Any) -> list[Any] | None:  # noqa: ANN401 - what a server sends may be anything
    """What stands for each candidate, in order; None where the answer isn't of that protocol."""
    if not isinstance(data, dict):
        return None
    if protocol == "steps":
        return data.get("scores") if isinstance(data.get("scores"), list) else None
    listed = data.get("data")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        return None
    places = [item.get("index") for item in listed]
    if sorted(place for place in places if isinstance(place, int)) == list(range(len(listed))):
        listed = sorted(listed, key=lambda item: item["index"])
    member = "score" if protocol == "pairs" else "data"
    return [item.get(member) for item in listed]


def tagged(candidate: str, separator: str, tag: str) -> str:
    """The candidate with the tag at the end of each step, where such models have their scores read.

    >>> tagged("one; two", "; ", "<extra_0>")
    'one<extra_0>two<extra_0>'
    """
    return "".join(step + tag for step in candidate.split(separator) if step.strip())
