"""Expected outcome and cost of every arm for a prompt of a believed difficulty."""

from planner.budget.believed import Believed
from planner.budget.forecasts import Forecasts, Support
from planner.budget.model import BudgetModel

__all__ = ["Believed", "BudgetModel", "Forecasts", "Support"]
