"""Expected outcome and cost of every arm for a prompt of a believed difficulty."""

from planner.budget.forecasts import Believed, Forecasts, Support

__all__ = ["Believed", "Forecasts", "Support"]
