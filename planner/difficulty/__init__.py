"""How hard a prompt is, from its text and from samples already drawn: predictor, bins, posterior."""

from planner.difficulty.belief import SOURCES, Belief, Source
from planner.difficulty.predictor import DifficultyPredictor
from planner.difficulty.report import difficulty_report

__all__ = ["SOURCES", "Belief", "DifficultyPredictor", "Source", "difficulty_report"]
