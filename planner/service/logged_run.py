"""A run as a client may log it: what a line of a log file may hold, and meaning what it means there."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from planner.core import Run
from planner.formats import values
from planner.formats.limits import NAMES
from planner.formats.places import Place, check_places, shape
from planner.formats.values import Check, Wrong
from planner.store.rows import run_id_of

_WITH_DEFAULTS = frozenset({"metadata", "search", "breadth", "depth", "params", "status", "samples"})


def _score(field: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise Wrong(field, f"is {value}", "0..1; `planner logs import` maps scores of another range")


_RUN_CHECKS: tuple[tuple[str, Check], ...] = (
    *((name, values.name) for name in sorted(NAMES - {"search", "selection"})),
    ("search", values.search), ("selection", values.selection),
    ("prompt", values.text), ("reference", values.text), ("answer", values.text),
    ("metadata", values.mapping), ("params", values.mapping),
)  # fmt: skip
_SAMPLE_CHECKS: tuple[tuple[str, Check], ...] = (
    ("generator", values.name), ("verifier", values.name), ("answer", values.text), ("text", values.text),
    ("score", _score), ("score_min", _score),
)  # fmt: skip


def storable(run: Run) -> Run:
    """The run as it is stored: with an id, and each sample in its place.

    Raises PydanticCustomError for what no store takes. It is called for each run of a body, which also lets other
    threads in while a large one is read.
    """
    try:
        _check(run)
        changes = _placed(run)
    except Wrong as wrong:
        raise PydanticCustomError("log", "{text}", {"text": f"{wrong}, expected {wrong.expected}"}) from None
    if changes:
        run = run.model_copy(update=changes)
    return run if run.run_id else run.model_copy(update={"run_id": run_id_of(run)})


def _without_nulls(run: object) -> object:
    """The body of a run without members that are null where no value is meant, as in a log file."""
    if not isinstance(run, dict):
        return run
    kept = run
    if not _WITH_DEFAULTS.isdisjoint(run) and None in run.values():
        kept = {name: value for name, value in run.items() if value is not None or name not in _WITH_DEFAULTS}
    samples = kept.get("samples")
    if isinstance(samples, list) and any(map(_has_no_status, samples)):
        bare = [{**one, "status": "ok"} if _has_no_status(one) else one for one in samples]
        kept = {**kept, "samples": bare}
    return kept


def _has_no_status(sample: object) -> bool:
    return isinstance(sample, dict) and sample.get("status", "") is None


class _OrNull:
    """Says in the documentation that these members may be null."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(schema)
        members = handler.resolve_ref_schema(reference)["properties"]
        if "items" in members["samples"]:  # not yet: both kinds of a body refer to it
            sample = handler.resolve_ref_schema(members["samples"]["items"])["properties"]
            sample["status"] = _or_null(sample["status"])
            members |= {name: _or_null(members[name]) for name in _WITH_DEFAULTS}
        return reference


def _or_null(member: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [member, {"type": "null"}]}


LoggedRun = Annotated[Run, AfterValidator(storable), BeforeValidator(_without_nulls), _OrNull()]


def _check(run: Run) -> None:
    for name, check in _RUN_CHECKS:
        value = getattr(run, name)
        if value is not None:
            check(name, value)
    for place, sample in enumerate(run.samples):
        for name, check in _SAMPLE_CHECKS:
            value = getattr(sample, name)
            if value is not None:
                check(f"samples[{place}].{name}", value)


def _placed(run: Run) -> dict[str, Any]:
    """What a run with several attempts leaves out: places of samples that name none, and what they span."""
    if not run.samples or (len(run.samples) == 1 and run.samples[0].attempt == 0):
        return {}
    samples = tuple(
        one if one.model_fields_set & {"chain", "attempt"} else one.model_copy(update={"chain": row})
        for row, one in enumerate(run.samples)
    )
    places = [Place(one.chain, one.attempt, one.stage) for one in samples]
    check_places(places)
    sizes = {name: size for name, size in shape(run.search, places).items() if name not in run.model_fields_set}
    return {"samples": samples, **sizes}
