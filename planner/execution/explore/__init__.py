"""A designed sweep over prompts and arms, so that somebody with prompts and an endpoint has logs to fit on."""

from planner.execution.explore.design import Design, by_price, rounds
from planner.execution.explore.question import Question
from planner.execution.explore.sweep import Sweep, SweepReport

__all__ = ["Design", "Question", "Sweep", "SweepReport", "by_price", "rounds"]
