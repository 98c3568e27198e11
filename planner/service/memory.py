"""Memory of a process that serves for weeks."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""As glibc's malloc.h has it."""


def share_one_heap() -> None:
    """Let all threads allocate from one heap, those that begin later.

    glibc gives threads heaps of their own, and each keeps room for the largest answer that it ever made: with a pool
    of threads a process grew for hours. Python's threads hardly allocate side by side. Elsewhere nothing is done.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have one heap, or no such call
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 1)
