"""What is done for every prompt in loops of C, where NumPy would take a call for every few numbers.

Everything here has its twin in NumPy, which says what it does and serves where nothing was built: an installation
without a C compiler gives the same plans, later. Tests hold the two to each other.

making: objects from values, the forecasts of arms that are shown among them. reading: texts to features and bins.
choosing: forecasts of every arm, and the choice.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

MODULES = ("making", "reading", "choosing")


def source_of(module: str) -> Path:
    """The file that a module is built from."""
    return Path(__file__).with_name(f"{module}.pyx")


def digest_of(module: str) -> str:
    """What tells whether a module was built from the source beside it."""
    return hashlib.sha256(source_of(module).read_bytes()).hexdigest()[:16]


def _is_built() -> bool:
    """Whether all is built, from these sources: what an older one left behind could do something else."""
    try:
        return all(digest_of(name) == import_module(f"{__name__}.{name}").SOURCE for name in MODULES)
    except ImportError:
        return False


BUILT = _is_built()
