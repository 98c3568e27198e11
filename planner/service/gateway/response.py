"""A planned answer as a chat completion: complete, with all that it cost, the plan beside it and in headers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from planner.core import Arm, Budget, Cost, Forecast, RunResult, Usage
from planner.execution.openai.texts import cut
from planner.service.gateway.budgets import Planned
from planner.service.gateway.limited import Found
from planner.service.gateway.request import Ask
from planner.service.gateway.sse import header_safe


class _Shown(BaseModel):
    model_config = ConfigDict(extra="allow")


class AnswerMessage(_Shown):
    """What was answered."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None


class AnswerChoice(_Shown):
    """The chosen answer."""

    index: int = 0
    message: AnswerMessage
    finish_reason: str | None
    logprobs: dict[str, Any] | None = None


class PromptDetails(_Shown):
    """Of the prompt tokens, those that verifiers read."""

    verifier_tokens: int | None = None


class TotalUsage(_Shown):
    """Tokens of all calls together, those of verifiers among the prompt tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails | None = None


class PlanShown(_Shown):
    """What was planned and spent.

    plan: the arm's short name. budget: as it was asked for. cost: of all calls; null is unknown. usage: by model.
    status, interrupted: whether, and why, it ended before its plan did. ignored: members of the request that a planned
    answer does not keep.
    """

    run_id: str
    recommendation_id: str
    policy_id: str
    plan: str
    arm: Arm
    reason: str
    declined: bool
    budget: Budget | None
    target_accuracy: float | None
    forecast: Forecast
    cost: Cost
    usage: tuple[Usage, ...]
    probes: int
    stages: tuple[dict[str, Any], ...]
    status: str
    interrupted: str | None
    answer: str | None
    correct: float | None
    ignored: tuple[str, ...]


class ChatCompletion(_Shown):
    """OpenAI's; `planner` is there where it was planned. One passed through is as its server gave it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: TotalUsage | None = None
    system_fingerprint: str | None = None
    planner: PlanShown | None = None


@dataclass(frozen=True)
class Answered:
    """A planned run that is over."""

    ask: Ask
    planned: Planned
    result: RunResult
    found: Found

    @property
    def model(self) -> str:
        """The generator that wrote the chosen answer."""
        chosen = self.found.chosen
        return (
            self.planned.plan.arm.generator if chosen is None else chosen.generator or self.planned.plan.arm.generator
        )

    @property
    def content(self) -> str:
        """The chosen text, cut at the client's stop texts."""
        return self._cut[0]

    @property
    def finish_reason(self) -> Literal["stop", "length", "content_filter"]:
        """`length` where the chosen text was cut off, or a ceiling left no answer at all."""
        chosen = self.found.chosen
        if chosen is None or self.result.text is None:
            return "content_filter" if self.found.filtered else "length"
        return "length" if chosen.status == "truncated" and not self._cut[1] else "stop"

    @cached_property
    def _cut(self) -> tuple[str, bool]:
        """The chosen text, and whether a stop text ended it."""
        return cut(self.result.text or "", self.ask.limits.stop)

    def completion(self) -> ChatCompletion:
        """The whole response."""
        message = AnswerMessage(content=self.content)
        return ChatCompletion(
            id=self.id,
            created=int(time.time()),
            model=self.model,
            choices=[AnswerChoice(message=message, finish_reason=self.finish_reason)],
            usage=total_usage(self.result.cost),
            system_fingerprint=self.planned.plan.policy_id,
            planner=self.shown(),
        )

    @property
    def id(self) -> str:
        """Of the completion."""
        return f"chatcmpl-{self.result.run_id}"

    def shown(self) -> PlanShown:
        """The member `planner`."""
        plan, result = self.planned.plan, self.result
        return PlanShown(
            run_id=result.run_id,
            recommendation_id=plan.recommendation_id,
            policy_id=plan.policy_id,
            plan=plan.arm.label,
            arm=plan.arm,
            reason=plan.reason,
            declined=plan.declined,
            budget=self.planned.asked,
            target_accuracy=plan.target_accuracy,
            forecast=plan.forecast,
            cost=result.cost,
            usage=result.usage,
            probes=result.probes,
            stages=result.stages,
            status=result.status,
            interrupted=result.reason,
            answer=result.answer,
            correct=result.correct,
            ignored=self.ask.ignored,
        )

    def headers(self) -> dict[str, str]:
        """What was planned and spent, for those who look at headers alone."""
        cost = self.result.cost
        spent = {
            "x-planner-run-id": self.result.run_id,
            "x-planner-status": self.result.status,
            "x-planner-cost-generations": _number(cost.generations),
            "x-planner-cost-tokens": _number(cost.tokens),
            "x-planner-cost-flops": _number(cost.flops),
            "x-planner-cost-usd": _number(cost.usd),
        }
        return plan_headers(self.planned) | {name: value for name, value in spent.items() if value}


def plan_headers(planned: Planned) -> dict[str, str]:
    """What is known before anything is spent."""
    plan = planned.plan
    return {
        "x-planner-mode": "apply",
        "x-planner-recommendation-id": plan.recommendation_id,
        "x-planner-policy-id": header_safe(plan.policy_id),
        "x-planner-arm": header_safe(plan.arm.label),
    }


def total_usage(cost: Cost) -> TotalUsage | None:
    """Tokens of all calls; None where any are unknown."""
    if cost.prompt_tokens is None or cost.completion_tokens is None or cost.verifier_tokens is None:
        return None
    read, written = round(cost.prompt_tokens + cost.verifier_tokens), round(cost.completion_tokens)
    return TotalUsage(
        prompt_tokens=read,
        completion_tokens=written,
        total_tokens=read + written,
        prompt_tokens_details=PromptDetails(verifier_tokens=round(cost.verifier_tokens)),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
