"""Compute-optimal strategy planner for language models: what a prompt's budget is best spent on, from your own logs.

>>> from planner import Budget, Planner
>>> Budget(max_tokens=8000).ceilings
{'tokens': 8000.0}
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.api import Planner as Planner
    from planner.core import (
        Alternative as Alternative,
        Arm as Arm,
        Budget as Budget,
        Cost as Cost,
        Difficulty as Difficulty,
        Forecast as Forecast,
        ModelCard as ModelCard,
        Probe as Probe,
        Recommendation as Recommendation,
        Run as Run,
        Sample as Sample,
    )
    from planner.errors import PlannerError as PlannerError

__version__ = "0.1.0"

# Names are imported when they are first asked for: `import planner` alone, and so `planner --help`, stays cheap.
_HOMES = {
    "Planner": "planner.api",
    "PlannerError": "planner.errors",
    **dict.fromkeys(
        (
            "Alternative", "Arm", "Budget", "Cost", "Difficulty", "Forecast", "ModelCard", "Probe", "Recommendation",
            "Run", "Sample",
        ),
        "planner.core",
    ),
}  # fmt: skip

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - the keys are names


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module 'planner' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
