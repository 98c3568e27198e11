from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict

from planner.compiled import BUILT

if BUILT:
    from planner.compiled import making

_Model = TypeVar("_Model", bound=BaseModel)

MAX_INTEGER = 2**31 - 1  # every store holds integers of four bytes


class Frozen(BaseModel):
    """Base of every core type: immutable, and an unknown field is an error."""

    # Schemas are built when first used: most commands use few of the types.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def trusted(cls, values: dict[str, Any]) -> Self:
        """An instance from values of ALL its fields that are known to be right: several times quicker than checking."""
        return _make(cls, values, _fields_of(cls))  # one set for all: none of them ever changes

    @cached_property
    def fragment(self) -> orjson.Fragment:
        """This as JSON, for what many others hold: it is put into their JSON as it is."""
        return orjson.Fragment(self.model_dump_json())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values where `update` has them."""
        return _bare(super().model_copy(update=update, deep=deep))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return super(Frozen, _bare(self.__copy__())).__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        # A piece of JSON cannot be pickled, and what else was worked out is quicker made again than sent.
        return {**super().__getstate__(), "__dict__": vars(_bare(self.__copy__()))}


# Setters taken once: to look them up for every instance would take as long again as to set the values.
_new = object.__new__
_set_values, _set_fields, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def _bare(copy: _Model) -> _Model:
    """The copy without what was worked out of the original's values: its key, its label, its JSON."""
    for name in vars(copy).keys() - _fields_of(type(copy)):
        del vars(copy)[name]
    return copy


def _made(model: type[_Model], values: dict[str, Any], fields: set[str]) -> _Model:
    made = _new(model)
    _set_values(made, values)
    _set_fields(made, fields)
    _set_extra(made, None)
    _set_private(made, None)
    return made


_make = making.make if BUILT else _made


@cache
def _fields_of(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)
