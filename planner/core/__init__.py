"""Types alone: frozen pydantic models that every room speaks in."""

from planner.core.arm import SEARCHES, SELECTIONS, AgreementStop, Arm, BetaVoteStop, ScoreStop, Stage, Stop
from planner.core.batch import RunColumns, SampleColumns
from planner.core.budget import UNITS, Budget, Cost, Unit
from planner.core.model_card import ModelCard
from planner.core.recommendation import Alternative, Difficulty, Forecast, Recommendation
from planner.core.run import Probe, Run, Sample

__all__ = [
    "SEARCHES", "SELECTIONS", "UNITS",
    "AgreementStop", "Alternative", "Arm", "BetaVoteStop", "Budget", "Cost", "Difficulty",
    "Forecast", "ModelCard", "Probe", "Recommendation", "Run", "RunColumns",
    "Sample", "SampleColumns", "ScoreStop", "Stage", "Stop", "Unit",
]  # fmt: skip
