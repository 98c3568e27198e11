from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import Response
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from planner.errors import NotReady
from planner.execution.journal import is_under_way
from planner.execution.run_log import journal_folder
from planner.service.context import Shared
from planner.service.json_route import JsonRoute
from planner.service.schemas import RUN, GradeBody, Logged, LogRequest, RunsBody
from planner.service.soon import soon

router = APIRouter(route_class=JsonRoute, tags=["runs"])
ROUTE = "/v1/runs"
PATIENCE_SECONDS = 2.0
"""How long a grade waits for its run: runs are written in groups, half a second late."""
_ANSWER = TypeAdapter(Logged)


@router.post(
    ROUTE,
    status_code=201,
    response_model=None,
    responses={201: {"model": Logged, "description": "All of them are stored."}},
    summary="Log one run, or many.",
)
async def log(body: Annotated[LogRequest, Body(examples=[RUN, {"runs": [RUN]}])], context: Shared) -> Response:
    """Write runs as one transaction: a 2xx says that all of them are stored. The same run twice is one run."""
    runs = body.runs if isinstance(body, RunsBody) else [body]
    most = context.settings.service_max_batch
    if len(runs) > most:
        raise HTTPException(413, f"{len(runs):,} runs in one request: at most {most:,} are taken")
    for run in runs:
        context.check_length(len(run.prompt or ""))
    written = await context.intake.add(runs)
    said = Logged(
        run_ids=[run.run_id or "" for run in runs],
        runs=written.runs,
        samples=written.samples,
        duplicates=written.duplicates,
        grades=written.grades,
    )
    return Response(_ANSWER.dump_json(said), 201, media_type="application/json")


@router.post("/v1/runs/{run_id:path}/grade", status_code=204, summary="Say how far a run's answer is correct.")
async def grade(run_id: str, body: GradeBody, context: Shared) -> None:
    """Set the grade of a logged run. One that the gateway has just answered is waited for until it is stored."""
    store = context.planner.store
    if not await run_in_threadpool(store.has_run, run_id):
        await context.gateway.flush()
    is_due = partial(is_under_way, journal_folder(store), run_id)
    if not await soon(partial(store.has_run, run_id), is_due, seconds=PATIENCE_SECONDS):
        if await run_in_threadpool(is_due):
            raise NotReady(f"run {run_id!r} is not over, or not stored yet: grade it again in a moment")
        raise HTTPException(404, f"no run {run_id!r} is logged")
    await run_in_threadpool(store.grade, run_id, correct=body.correct, grader=body.grader)
