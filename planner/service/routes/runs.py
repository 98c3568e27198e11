from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from planner.core import Run
from planner.core.run import Sample
from planner.errors import BadLog
from planner.formats.limits import MAX_NAME_BYTES, MAX_TEXT_BYTES, NAMES
from planner.service.context import Shared
from planner.service.json_route import JsonRoute
from planner.service.schemas import GradeBody, Logged, RunsBody
from planner.store.rows import run_id_of

router = APIRouter(route_class=JsonRoute, tags=["runs"])


@router.post("/v1/runs", status_code=201, summary="Log one run, or many.")
async def log(body: Run | RunsBody, context: Shared) -> Logged:
    """Write runs as one transaction: a 2xx says that all of them are stored. The same run twice is one run."""
    runs = body.runs if isinstance(body, RunsBody) else [body]
    most = context.settings.service_max_batch
    if len(runs) > most:
        raise HTTPException(413, f"{len(runs):,} runs in one request: at most {most:,} are taken")
    for run in runs:
        _check(run)
    written = await context.intake.add(runs)
    return Logged(
        run_ids=[run_id_of(run) for run in runs],
        runs=written.runs,
        samples=written.samples,
        duplicates=written.duplicates,
        grades=written.grades,
    )


@router.post("/v1/runs/{run_id:path}/grade", status_code=204, summary="Say how far a run's answer is correct.")
def grade(run_id: str, body: GradeBody, context: Shared) -> None:
    """Set the grade of a logged run."""
    if not context.planner.store.has_run(run_id):
        raise HTTPException(404, f"no run {run_id!r} is logged")
    context.planner.store.grade(run_id, correct=body.correct, grader=body.grader)


def _check(run: Run) -> None:
    """What an import would say of it, too: names are indexed, and scores lie in 0..1."""
    _check_names(run, NAMES)
    for sample in run.samples:
        _check_names(sample, ("generator", "verifier"))
    for text in (run.prompt, run.answer, run.reference, *(sample.text for sample in run.samples)):
        if text is not None and len(text.encode()) > MAX_TEXT_BYTES:
            raise BadLog(f"a text has more than {MAX_TEXT_BYTES:,} bytes")
    for sample in run.samples:
        if any(score is not None and not 0 <= score <= 1 for score in (sample.score, sample.score_min)):
            raise BadLog("samples.score: expected 0..1; `planner logs import` maps scores of another range")


def _check_names(one: Run | Sample, names: Iterable[str]) -> None:
    for name in names:
        value = getattr(one, name, None)
        if value is not None and not 0 < len(value.encode()) <= MAX_NAME_BYTES:
            raise BadLog(f"{name}: expected text of 1 to {MAX_NAME_BYTES} bytes")
