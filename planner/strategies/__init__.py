"""Strategies: one file a search, generators that ask and are answered, without any I/O of their own."""

from planner.strategies.carrying_out import carry_out
from planner.strategies.parameters import Choosing, Parameters, Settings
from planner.strategies.pool import Interrupted, Pool, Replies, Requests, Result, Search
from planner.strategies.registry import Strategy, registered, strategy_of
from planner.strategies.selections import Selection, select, selection_of, selections
from planner.strategies.task import Task

__all__ = [
    "Choosing", "Interrupted", "Parameters", "Pool", "Replies", "Requests", "Result", "Search", "Selection",
    "Settings", "Strategy", "Task", "carry_out", "registered", "select", "selection_of", "selections", "strategy_of",
]  # fmt: skip
