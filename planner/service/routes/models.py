from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from planner.strategies import registered

router = APIRouter(tags=["models and strategies"])


class Strategy(BaseModel):
    """A search that can be carried out; `parameters` is the JSON schema of an arm's `params`."""

    name: str
    summary: str
    parameters: dict[str, object]


class Strategies(BaseModel):
    """Every registered search."""

    strategies: list[Strategy]


@router.get("/v1/strategies", summary="Searches that can be carried out.")
def strategies() -> Strategies:
    """Built in, or registered by other packages."""
    return Strategies(
        strategies=[
            Strategy(name=name, summary=found.summary, parameters=found.parameters.model_json_schema())
            for name, found in sorted(registered().items())
        ]
    )
