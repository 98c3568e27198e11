"""Choosing: frontiers, ceilings, averages over traffic, batches, and what a policy is worth on prompts held out."""

from planner.policy.frontier import Hull, mixture_hull, pareto_frontier
from planner.policy.policy import Policy
from planner.policy.prompt import PromptInput
from planner.policy.restrict import Restriction

__all__ = ["Hull", "Policy", "PromptInput", "Restriction", "mixture_hull", "pareto_frontier"]
