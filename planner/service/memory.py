"""Memory of a process that serves for weeks; where the C library is not glibc, nothing has to be done."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

_M_ARENA_MAX = -8
"""As glibc's malloc.h has it."""


def share_one_heap() -> None:
    """Let all threads that begin from now on allocate from one heap.

    glibc gives threads heaps of their own, and each keeps room for the largest answer that it ever made: with a pool
    of threads a process grew for hours. Python's threads hardly allocate side by side.
    """
    if (mallopt := _of_glibc("mallopt")) is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what was freed between objects that live on; takes some milliseconds."""
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)


@cache
def _of_glibc(name: str) -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return function
