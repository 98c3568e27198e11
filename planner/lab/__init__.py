"""The tiny laboratory: real small transformers on word arithmetic, and logs of every strategy run on them.

Models and logs are carried with the package. Nothing is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.lab.endpoint import LabEndpoint

__all__ = ["LabEndpoint"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from planner.lab import endpoint  # noqa: PLC0415 - numpy and the models wait for their first use

    return getattr(endpoint, name)
