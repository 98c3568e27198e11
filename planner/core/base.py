from __future__ import annotations

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of every core type: immutable, and an unknown field is an error."""

    # Schemas are built when first used: most commands use few of the types.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def trusted(cls, values: dict[str, Any]) -> Self:
        """An instance from values of ALL its fields that are known to be right: several times quicker than checking."""
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", _fields_of(cls))  # one set for all: none of them ever changes
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


_set = object.__setattr__


@cache
def _fields_of(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)
