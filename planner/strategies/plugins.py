"""What other packages bring by entry points, beside what is built in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol, TypeVar

from planner.errors import InvalidInput


class Named(Protocol):
    """Anything that is known by a name."""

    @property
    def name(self) -> str:
        """Its name, equal to that of its entry point."""


N = TypeVar("N", bound=Named)


def with_plugins(group: str, kind: type[N], built_in: Iterable[N]) -> Mapping[str, N]:
    """Everything of a kind by name, built-ins first, then the entry points of `group`.

    Raises InvalidInput where a third party's cannot be loaded, is of another kind, or takes another's name.
    """
    found = {one.name: one for one in built_in}
    for entry in entry_points(group=group):
        try:
            plugin = entry.load()
        except Exception as error:
            raise InvalidInput(
                f"{kind.__name__.lower()} {entry.name!r} ({entry.value}) cannot be loaded: {error}; "
                "mend or uninstall its package"
            ) from error
        if not isinstance(plugin, kind):
            raise InvalidInput(f"{entry.value} is no planner.strategies.{kind.__name__}: mend or uninstall its package")
        if plugin.name != entry.name or plugin.name in found:
            raise InvalidInput(
                f"{kind.__name__.lower()} {plugin.name!r} of {entry.value} exists already or is not the entry point's "
                f"name, {entry.name!r}: mend its name"
            )
        found[plugin.name] = plugin
    return MappingProxyType(found)
