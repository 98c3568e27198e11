"""The lab's logs straight from their files, without a store: what `tabulate` reads."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import numpy as np
import pyarrow.parquet as pq

from planner.core import Arm, ModelCard
from planner.curves.logs import Logs, Pool, PromptTable, RunTable, SampleTable

FOLDER = files("planner.lab") / "logs"
NUMBERS = ("correct", "score", "score_min", "prompt_tokens", "completion_tokens")


def lab_logs() -> Logs:
    rows = pq.read_table(FOLDER / "lab.samples.parquet").to_pydict()
    with gzip.open(FOLDER / "lab.runs.jsonl.gz", "rt") as lines:
        runs = [json.loads(line) for line in lines]
    ids = tuple(dict.fromkeys(rows["prompt_id"]))
    place = {name: i for i, name in enumerate(ids)}
    texts = {name: text for name, text in zip(rows["prompt_id"], rows["prompt"], strict=True) if text}
    pools = tuple(dict.fromkeys(zip(rows["generator"], rows["verifier"], strict=True)))
    codes: dict[tuple[str, str], int] = {}
    samples = _sorted(
        pool=[pools.index(pair) for pair in zip(rows["generator"], rows["verifier"], strict=True)],
        prompt=[place[name] for name in rows["prompt_id"]],
        chain=rows["chain"],
        attempt=rows["attempt"],
        answer=_codes(codes, rows["prompt_id"], rows["answer"]),
        **{name: rows[name] for name in NUMBERS},
    )
    arms = {}
    for run in runs:
        names = ("generator", "verifier", "search", "selection", "breadth", "depth", "params")
        run["arm"] = arms.setdefault(Arm(**{name: run[name] for name in names}), len(arms))
    leaves = [(number, run, leaf) for number, run in enumerate(runs) for leaf in run["samples"]]
    candidates = _sorted(
        pool=[-1] * len(leaves),
        prompt=[place[run["prompt_id"]] for _, run, _ in leaves],
        run=[number for number, _, _ in leaves],
        chain=[leaf["chain"] for _, _, leaf in leaves],
        answer=_codes(codes, [run["prompt_id"] for _, run, _ in leaves], [leaf["answer"] for *_, leaf in leaves]),
        correct=[leaf["correct"] for *_, leaf in leaves],
        score=[leaf["score"] for *_, leaf in leaves],
    )
    cards = (ModelCard(**card) for card in json.loads((FOLDER / "models.json").read_text()))
    return Logs(
        PromptTable(ids, tuple(texts[name] for name in ids), ("lab",) * len(ids), ({},) * len(ids)),
        tuple(Pool(*pair) for pair in pools),
        samples,
        tuple(arms),
        _runs(runs, place),
        candidates,
        {card.name: card for card in cards},
    )


def _runs(runs: list[dict], place: dict[str, int]) -> RunTable:
    def numbers(name: str) -> np.ndarray:
        return np.array([run.get(name, np.nan) for run in runs], dtype=np.float32)

    return RunTable(
        np.array([run["arm"] for run in runs], dtype=np.int32),
        np.array([place[run["prompt_id"]] for run in runs], dtype=np.int32),
        *(numbers(name) for name in list(RunTable.__dataclass_fields__)[2:]),
    )


def _codes(codes: dict[tuple[str, str], int], prompts: list[str], answers: list[str | None]) -> list[int]:
    pairs = zip(prompts, answers, strict=True)
    return [-1 if pair[1] is None else codes.setdefault(pair, len(codes)) for pair in pairs]


def _sorted(**columns: list[float]) -> SampleTable:
    n = len(columns["pool"])
    arrays = []
    for place, name in enumerate(SampleTable.__dataclass_fields__):
        kind = np.int32 if place < 6 else np.float32
        missing = 0 if place < 6 else np.nan
        arrays.append(np.array(columns.get(name, [missing] * n), dtype=kind))
    order = np.lexsort(arrays[4::-1])
    return SampleTable(*(array[order] for array in arrays))
