from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from planner.core.base import Frozen
from planner.core.budget import Cost
from planner.core.recommendation import Recommendation


class Usage(Frozen):
    """What one model was asked for in a run. A verifier's tokens are all counted as read; None is unknown."""

    model: str
    requests: Annotated[int, Field(ge=0)]
    prompt_tokens: int | None
    completion_tokens: int | None


class RunResult(Frozen):
    """What carrying a plan out came to.

    answer: the comparable answer that was chosen, `text` the whole text that it stands in.
    correct: grade 0..1; None without a reference or a grader.
    status: `ok`; `truncated` where a ceiling ended it before its plan did, or the chosen text was cut off; `error`
    where it has no answer because an endpoint failed, with what was spent until then.
    reason: why it ended before its plan did, else None.
    probes: samples drawn before the rest was planned. stages: one {generator, verifier, draw, n} for each run of like
    draws, in order.
    note: what a reader of the answer should know, such as that a vote had nothing to go by.
    """

    run_id: str
    prompt_id: str
    answer: str | None
    text: str | None
    correct: float | None
    status: Literal["ok", "truncated", "error"]
    cost: Cost
    usage: tuple[Usage, ...]
    plan: Recommendation
    probes: int = 0
    stages: tuple[dict[str, Any], ...] = ()
    reason: str | None = None
    note: str | None = None
