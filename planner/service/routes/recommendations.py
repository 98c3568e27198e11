from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from planner.core import Recommendation
from planner.service.context import Context, Shared
from planner.service.json_route import JsonRoute
from planner.service.schemas import Declined, PromptBody, RecommendationRequest, Recommendations
from planner.service.soon import soon

router = APIRouter(route_class=JsonRoute, tags=["recommendations"])
ROUTE = "/v1/recommendations"
PATIENCE_SECONDS = 1.0
"""How late what was recommended is stored at most."""
MANY = 8
"""From so many prompts on, a request is worked on in a thread: the others shall not wait for it."""


@router.post(
    ROUTE,
    responses={200: {"model": Recommendation | Recommendations, "description": "One, or one a prompt in order."}},
    summary="Recommend an arm for a prompt, or for each of many.",
)
async def recommend(body: RecommendationRequest, context: Shared) -> Response:
    """The arm that each prompt's budget is best spent on; it is stored with its propensity."""
    if body.prompts is None:
        answer = await _one(context, body)
        context.metrics.recommended([answer])
        return Response(answer.json_text, media_type="application/json")
    most = context.settings.service_max_batch
    if len(body.prompts) > most:
        raise HTTPException(413, f"{len(body.prompts):,} prompts in one request: at most {most:,} are taken")
    text = _many(context, body) if len(body.prompts) < MANY else await run_in_threadpool(_many, context, body)
    return Response(text, media_type="application/json")


@router.get("/v1/recommendations/{recommendation_id}", summary="A recommendation that was served.")
async def find(recommendation_id: str, context: Shared) -> Recommendation:
    """Raises 404 for an id that is not known."""
    await run_in_threadpool(context.planner.flush)
    look = partial(context.planner.store.recommendation, recommendation_id)
    # What another worker has just served it is still writing.
    found = await soon(look, lambda: multiprocessing.parent_process() is not None, seconds=PATIENCE_SECONDS)
    if found is None:
        raise HTTPException(404, "no recommendation of that id is stored")
    return found


async def _one(context: Context, body: RecommendationRequest) -> Recommendation:
    assert body.prompt is not None
    context.check_length(_length(body.prompt))
    known: dict[str, Any] = {
        "prompt": body.prompt,
        "prompt_id": body.prompt_id,
        "dataset": body.dataset,
        "metadata": body.metadata,
        "probes": body.probes or (),
    }
    options: dict[str, Any] = {"budget": body.budget, "target_accuracy": body.target_accuracy, **_asked(body)}
    return await context.together.recommend(known, options)


def _many(context: Context, body: RecommendationRequest) -> bytes:
    prompts = [PromptBody(prompt=one) if isinstance(one, str) else one for one in body.prompts or ()]
    for one in prompts:
        context.check_length(_length(one.prompt))
    answers = context.planner.recommend_batch(
        [one.__dict__ for one in prompts], body.budget,
        total=body.total, target_accuracy=body.target_accuracy, **_asked(body),
    )  # fmt: skip
    context.metrics.recommended([answer for answer in answers if isinstance(answer, Recommendation)])
    # The words of each are at hand: it is stored in them.
    shown = [
        answer.json_text
        if isinstance(answer, Recommendation)
        else Declined(prompt_id=one.prompt_id, error=str(answer)).model_dump_json()
        for one, answer in zip(prompts, answers, strict=True)
    ]
    return f'{{"recommendations":[{",".join(shown)}]}}'.encode()


def _asked(body: RecommendationRequest) -> dict[str, Any]:
    return {
        "arm": body.arm,
        "generators": body.generators or (),
        "searches": body.searches or (),
        "selections": body.selections or (),
        "seed": body.seed or 0,
    }


def _length(prompt: str | Sequence[Any]) -> int:
    return len(prompt) if isinstance(prompt, str) else sum(len(str(part)) for part in prompt)
