"""Types alone: frozen pydantic models that every room speaks in."""

from planner.core.arm import NO_OUTCOMES, SEARCHES, SELECTIONS, AgreementStop, Arm, BetaVoteStop, ScoreStop, Stage, Stop
from planner.core.batch import RunColumns, SampleColumns
from planner.core.budget import UNITS, Budget, Cost, Unit
from planner.core.calls import Completion, Conventions, Generate, Message, Reply, Request, Verdict, Verify
from planner.core.endpoint import Endpoint
from planner.core.model_card import ModelCard
from planner.core.recommendation import Alternative, Difficulty, Forecast, Recommendation
from planner.core.result import RunResult, Usage
from planner.core.run import Probe, Run, Sample

__all__ = [
    "NO_OUTCOMES", "SEARCHES", "SELECTIONS", "UNITS",
    "AgreementStop", "Alternative", "Arm", "BetaVoteStop", "Budget", "Completion", "Conventions", "Cost",
    "Difficulty", "Endpoint", "Forecast", "Generate", "Message", "ModelCard", "Probe", "Recommendation", "Reply",
    "Request", "Run", "RunColumns", "RunResult", "Sample", "SampleColumns", "ScoreStop", "Stage", "Stop", "Unit",
    "Usage", "Verdict", "Verify",
]  # fmt: skip
