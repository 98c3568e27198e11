"""One thread for sums whose figures must be the same on every machine."""

from __future__ import annotations

from importlib import import_module

from threadpoolctl import threadpool_limits

_THREADED = ("lightgbm", "scipy.linalg", "sklearn.utils.extmath")
"""What a fit loads on its way, with the linear algebra of each."""


def one_thread() -> threadpool_limits:
    """A context in which libraries use one thread.

    Sums depend on how many threads share them, and on small tables threads cost more than they bring.
    """
    # A limit holds for what is loaded when it is set: the first fit of a process would differ from all later ones.
    for name in _THREADED:
        import_module(name)
    return threadpool_limits(1)
