"""How hard a prompt is, from its text and from samples already drawn: features, predictor, bins, posterior."""

from planner.difficulty.belief import SOURCES, Belief, Source
from planner.difficulty.predictor import DifficultyPredictor

__all__ = ["SOURCES", "Belief", "DifficultyPredictor", "Source"]
