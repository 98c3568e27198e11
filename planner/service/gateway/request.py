"""A request to the gateway, read: what is asked, of whom, and what it may cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from planner.core import Arm, Budget
from planner.errors import InvalidInput
from planner.execution.job import check_kept
from planner.formats.limits import MAX_NAME_BYTES
from planner.policy.chat import chat_text
from planner.service.gateway.body import ChatBody, PlannerMember
from planner.service.gateway.naming import Named, read_name
from planner.service.gateway.untouched import untouched_because

ITS_BUDGET = "x-its-budget"
OWN_MEMBERS = ("planner", "budget", "optillm_approach")
_MOST_GENERATIONS = 1e9
# Neither said to be ignored nor needed for a planned answer.
_SILENT = frozenset(
    {
        *ChatBody.model_fields, "store", "service_tier", "safety_identifier", "prompt_cache_key",
        "prompt_cache_retention", "parallel_tool_calls", "tools", "tool_choice", "functions", "function_call",
        "response_format", "modalities", "audio", "prediction", "web_search_options",
    }
)  # fmt: skip
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "top_p": (1,), "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "top_logprobs": (0,),
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What the client wants of an answer, whatever the plan."""

    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """One request.

    raw: the body as it came. untouched: the member for which it cannot be planned. budget: None takes the server's.
    ignored: members that a planned answer does not keep.
    """

    raw: Mapping[str, Any]
    named: Named
    untouched: str | None
    budget: Budget | None = None
    target_accuracy: float | None = None
    adapt: bool = True
    arm: Arm | None = None
    searches: tuple[str, ...] = ()
    selections: tuple[str, ...] = ()
    generators: tuple[str, ...] = ()
    prompt_id: str | None = None
    dataset: str | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extract: str | None = None
    grade: str | None = None
    seed: int | None = None
    limits: Limits = Limits()
    ignored: tuple[str, ...] = ()

    @property
    def streams(self) -> bool:
        """Whether the answer is to come as events."""
        return bool(self.raw.get("stream"))

    @property
    def with_usage(self) -> bool:
        """Whether a stream is to end with the usage."""
        return bool((self.raw.get("stream_options") or {}).get("include_usage"))

    @cached_property
    def text(self) -> str | None:
        """The prompt's text; None where it has none."""
        try:
            return chat_text(self.raw["messages"])
        except InvalidInput:
            return None

    @cached_property
    def spoken(self) -> str:
        """What of the conversation is text, also where some messages hold none, as those that call a tool."""
        return self.text or "\n\n".join(filter(None, map(_spoken, self.raw["messages"])))

    @property
    def is_forced(self) -> bool:
        """Whether arms are asked for by name, so that the plan is carried out as it is."""
        return bool(self.arm or self.generators or self.searches or self.selections)


def read_request(
    body: ChatBody, raw: Mapping[str, Any], its_budget: str | None, known: Collection[str], *, plans: bool = True
) -> Ask:
    """The request of a body and its header X-ITS-Budget, where these models are known.

    plans: whether anything is planned at all; else what only a planned answer cannot keep is no error.
    Raises InvalidInput in words, and UnknownName for a model that is not known.
    """
    said, tags = body.planner or PlannerMember(), body.metadata or {}
    for name, value in (raw.get("planner") or {}).items():
        check_kept(f"planner.{name}", value)
    for name in _TAGS:
        check_kept(f"metadata.{name}", tags.get(name))
    named = read_name(body.model, known, body.optillm_approach)
    untouched = untouched_because(raw)
    if named.model is None and untouched is None and plans:
        _check_plannable(body)
    asked = Ask(
        raw=raw,
        named=named,
        untouched=untouched,
        budget=_budget(body, said, its_budget),
        target_accuracy=said.target_accuracy,
        adapt=said.adapt is not False,
        arm=said.arm,
        generators=_both("generators", named.generators, said.generators or ()),
        searches=_both("searches", named.searches, said.searches or ()),
        selections=_both("selections", named.selections, said.selections or ()),
        prompt_id=said.prompt_id or _text(tags, "prompt_id"),
        dataset=said.dataset or _text(tags, "dataset"),
        reference=said.reference or _text(tags, "reference"),
        metadata={name: value for name, value in (said.metadata or {}).items() if name not in _NAMES_OF_CODE},
        extract=said.extract,
        grade=said.grade,
        seed=body.seed,
        limits=_limits(body),
        ignored=tuple(sorted(name for name, value in raw.items() if _is_ignored(name, value))),
    )
    for name, value in (("prompt_id", asked.prompt_id), ("dataset", asked.dataset)):
        if value is not None and len(value.encode()) > MAX_NAME_BYTES:
            raise InvalidInput(f"{name}: expected text of 1 to {MAX_NAME_BYTES} bytes")
    return asked


_TAGS = ("prompt_id", "dataset", "reference")
"""Of OpenAI's own `metadata`, what is read where the member `planner` does not say it."""
# A runner reads them from metadata, and they may name functions and commands: no client may.
_NAMES_OF_CODE = frozenset({"extract", "grade"})


def _check_plannable(body: ChatBody) -> None:
    if body.n is not None and body.n > 1:
        raise InvalidInput("n: one answer is planned; send a request for each, or name a model instead of auto")
    if 0 in {body.max_tokens, body.max_completion_tokens}:
        raise InvalidInput("max_tokens: an answer has one at least; leave it out for as many as it takes")
    if body.logprobs:
        raise InvalidInput("logprobs: a planned answer has none; name a model instead of auto to get its own")


def _budget(body: ChatBody, said: PlannerMember, its_budget: str | None) -> Budget | None:
    """By the member `planner`, else `budget`, else X-ITS-Budget."""
    try:
        if (budget := said.budget) is not None:
            return budget
        if body.budget is not None:
            return Budget(max_generations=body.budget)
    except ValidationError as error:
        raise InvalidInput(f"planner: {error.errors()[0]['msg']}") from None
    if its_budget is None:
        return None
    try:
        generations = float(its_budget)
    except ValueError:
        generations = float("nan")
    if not 0 < generations <= _MOST_GENERATIONS:
        raise InvalidInput(f"{ITS_BUDGET}: expected a number of generations, got {its_budget[:40]!r}")
    return Budget(max_generations=generations)


def _spoken(message: object) -> str:
    try:
        return chat_text([message])
    except InvalidInput:
        return ""


def _both(what: str, by_name: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    if by_name and said and set(by_name) != set(said):
        raise InvalidInput(f"planner.{what}: the model's name asks for {', '.join(by_name)} already")
    return by_name or said


def _limits(body: ChatBody) -> Limits:
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    limits = [limit for limit in (body.max_tokens, body.max_completion_tokens) if limit is not None and limit > 0]
    # Greedy samples are all the same: a plan that draws several would pay for one answer many times.
    temperature = body.temperature or None
    return Limits(min(limits, default=None), temperature, tuple(text for text in stop if text))


def _text(tags: Mapping[str, Any], name: str) -> str | None:
    value = tags.get(name)
    return value if isinstance(value, str) and value else None


def _is_ignored(name: str, value: object) -> bool:
    if name == "temperature":
        return value == 0
    return name not in _SILENT and value is not None and value not in _NEUTRAL.get(name, ())
