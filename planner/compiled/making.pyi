from typing import Any, TypeVar

SOURCE: str

_T = TypeVar("_T")

def make(model: type[_T], values: dict[str, Any], fields: set[str]) -> _T: ...
