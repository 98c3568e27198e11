"""Types alone: frozen pydantic models that every room speaks in."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from planner.core.arm import NO_OUTCOMES, SEARCHES, SELECTIONS, AgreementStop, Arm, BetaVoteStop, ScoreStop, Stage, Stop
from planner.core.budget import UNITS, Budget, Cost, Unit
from planner.core.model_card import ModelCard
from planner.core.recommendation import Alternative, Difficulty, Forecast, Recommendation

if TYPE_CHECKING:
    from planner.core.batch import RunColumns, SampleColumns
    from planner.core.calls import Completion, Conventions, Generate, Message, Reply, Request, Verdict, Verify
    from planner.core.endpoint import Endpoint
    from planner.core.result import RunResult, Usage
    from planner.core.run import Probe, Run, Sample

# Imported when first asked for: to plan needs none of them, and their classes take as long to make as a plan.
_HOMES = {
    **dict.fromkeys(("RunColumns", "SampleColumns"), "batch"),
    **dict.fromkeys(
        ("Completion", "Conventions", "Generate", "Message", "Reply", "Request", "Verdict", "Verify"), "calls"
    ),
    "Endpoint": "endpoint",
    **dict.fromkeys(("RunResult", "Usage"), "result"),
    **dict.fromkeys(("Probe", "Run", "Sample"), "run"),
}

__all__ = [
    "NO_OUTCOMES", "SEARCHES", "SELECTIONS", "UNITS",
    "AgreementStop", "Alternative", "Arm", "BetaVoteStop", "Budget", "Completion", "Conventions", "Cost",
    "Difficulty", "Endpoint", "Forecast", "Generate", "Message", "ModelCard", "Probe", "Recommendation", "Reply",
    "Request", "Run", "RunColumns", "RunResult", "Sample", "SampleColumns", "ScoreStop", "Stage", "Stop", "Unit",
    "Usage", "Verdict", "Verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
