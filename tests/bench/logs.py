"""Logs for benches, by way of a store of their own, as a user's would go."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import planner.lab
from planner.api import Planner
from planner.curves.logs import Logs
from planner.store.card_files import read_model_cards

PUBLIC = Path(__file__).resolve().parents[3] / "shared" / "data"


LAB = Path(planner.lab.__file__).parent / "logs"
LAB_CARDS, LAB_SAMPLES, LAB_RUNS = LAB / "models.json", LAB / "lab.samples.parquet", LAB / "lab.runs.jsonl.gz"


def lab_logs() -> Logs:
    """The bundled logs."""
    return _stored(LAB_CARDS, LAB_SAMPLES, LAB_RUNS)


@contextmanager
def fitted(*logs: Path, cards: Path = LAB_CARDS, seed: int = 0) -> Iterator[Planner]:
    """A planner over a store of its own, with a policy fitted from these logs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Planner.open(f"sqlite:///{folder}/bench.db", artifact_dir=folder) as own,
    ):
        own.store.save_models(read_model_cards(cards))
        own.import_logs(list(logs))
        own.fit(seed=seed)
        yield own


def public_logs(name: str) -> Logs:
    """One of the public logs beside the checkout; ends the process with a reason where they are absent."""
    if not PUBLIC.is_dir():
        sys.exit("the public logs (shared/data beside the checkout) are not here")
    return _stored(PUBLIC / "models.json", PUBLIC / f"{name}.samples.parquet")


def _stored(cards: Path, *logs: Path) -> Logs:
    with (
        tempfile.TemporaryDirectory() as folder,
        Planner.open(f"sqlite:///{folder}/bench.db", artifact_dir=folder) as own,
    ):
        own.store.save_models(read_model_cards(cards))
        own.import_logs(list(logs))
        return own.store.read_logs()
