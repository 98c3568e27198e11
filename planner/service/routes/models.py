from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel

from planner.core import ModelCard
from planner.service.context import Context, Shared
from planner.service.gateway.naming import AUTO
from planner.service.openai_errors import DOCUMENTED, openai_error
from planner.strategies import registered

router = APIRouter(tags=["models and strategies"])


class Model(BaseModel):
    """A model that requests may name, in OpenAI's form; `planner` holds its card, null where nothing is known of it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "planner"
    planner: ModelCard | None = None


class Models(BaseModel):
    """`auto`, `auto-GENERATOR` for each that can be planned with, and every model."""

    object: Literal["list"] = "list"
    data: list[Model]


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


@router.get("/v1/models", summary="Names that requests may give as `model`, in OpenAI's form.", responses=DOCUMENTED)
async def models(context: Shared) -> Models:
    """Those that are planned first, then every model of the logs, the cards and the endpoint."""
    return Models(data=await _models(context))


@router.get("/v1/models/{model_id:path}", response_model=Model, summary="One of these names.", responses=DOCUMENTED)
async def model(model_id: str, context: Shared) -> Response | Model:
    """404 for a name that is not known."""
    found = next((one for one in await _models(context) if one.id == model_id), None)
    if found is None:
        return openai_error(404, f"the model {model_id!r} does not exist", param="model", code="model_not_found")
    return found


async def _models(context: Context) -> list[Model]:
    gateway = context.gateway
    await gateway.open_if_configured()
    cards, fitted = await gateway.names.cards(), gateway.names.fitted()
    planned = [AUTO, *(f"{AUTO}-{name}" for name in fitted)]
    names = dict.fromkeys([*sorted(cards), *fitted, *await gateway.names.listed()])
    models = [name for name in names if name not in planned]  # one of such a name cannot be asked for
    return [*(Model(id=name) for name in planned), *(Model(id=name, planner=cards.get(name)) for name in models)]
