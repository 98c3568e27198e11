"""Compute-optimal strategy planner for language models: what a prompt's budget is best spent on, from your own logs.

>>> from planner import Budget, Planner
>>> Budget(max_tokens=8000).ceilings
{'tokens': 8000.0}
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.api import Planner
    from planner.core import (
        Alternative,
        Arm,
        Budget,
        Cost,
        Difficulty,
        Forecast,
        ModelCard,
        Probe,
        Recommendation,
        Run,
        RunResult,
        Sample,
    )
    from planner.errors import PlannerError

__version__ = "0.1.0"

__all__ = [
    "Alternative",
    "Arm",
    "Budget",
    "Cost",
    "Difficulty",
    "Forecast",
    "ModelCard",
    "Planner",
    "PlannerError",
    "Probe",
    "Recommendation",
    "Run",
    "RunResult",
    "Sample",
    "__version__",
]

# Names are imported when they are first asked for: `import planner` alone, and so `planner --help`, stays cheap.
_HOMES = {"Planner": "planner.api", "PlannerError": "planner.errors"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in __all__:
        raise AttributeError(f"module 'planner' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "planner.core")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
