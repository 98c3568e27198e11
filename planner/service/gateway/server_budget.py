from __future__ import annotations

from pydantic import ValidationError

from planner.config import Settings
from planner.core import Budget
from planner.errors import InvalidInput


def server_budget(settings: Settings) -> Budget | None:
    """The budget of requests that bring none; None where none is set.

    Raises InvalidInput, naming the setting and its bad fields.
    """
    if not settings.service_budget:
        return None
    try:
        return Budget(**settings.service_budget)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join((*map(str, e["loc"]), e["msg"].removeprefix("Value error, "))) for e in error.errors()
        )
        raise InvalidInput(f"PLANNER_SERVICE_BUDGET cannot be used: {problems}") from error
