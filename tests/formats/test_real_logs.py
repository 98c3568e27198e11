"""The lab's own logs and other people's: they are imported whole, and warned of where there is reason alone."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from planner.errors import BadLog
from planner.formats import Problems, import_logs, read_runs

LAB = Path(str(files("planner.lab"))) / "logs"
PUBLIC = {
    "cruxeval.samples.parquet": (1600, 16_000),
    "date_understanding.samples.parquet": (369, 3690),
    "math_mixed.samples.parquet": (507, 4056),
    "game24_tot.runs.jsonl.gz": (100, 0),
    "gsm8k_gpt3.runs.jsonl.gz": (5276, 0),
    "mint_turns.runs.jsonl.gz": (32_816, 0),
    "zeroeval.samples.parquet": (124_529, 124_529),
}


def test_the_labs_logs_are_imported_without_a_warning_and_only_once(store):
    paths = [LAB / "lab.runs.jsonl.gz", LAB / "lab.samples.parquet"]
    report = import_logs(store, paths)
    assert (report.n_runs, report.n_samples) == (11_600, 368_000)
    assert report.warnings == ()
    assert import_logs(store, paths).import_id is None


@pytest.mark.parametrize("name", PUBLIC)
def test_public_logs_are_imported(store, public_data, name):
    report = import_logs(store, public_data / name)
    assert (report.n_runs, report.n_samples) == PUBLIC[name]
    assert report.warnings == ()


def test_public_logs_of_the_largest_size_are_read_without_a_bad_line(public_data):
    problems = Problems()
    reads = list(read_runs(public_data / "mmlu_pro.samples.parquet", problems=problems))
    assert problems.count == 0
    assert sum(len(read.batch.samples) for read in reads) == 395_308
    assert sum(len(read.batch.prompts) for read in reads) == 12_032


def test_public_logs_with_negative_token_counts_are_refused_or_imported_without_those(store, public_data, tmp_path):
    path = public_data / "game24.samples.parquet"
    with pytest.raises(BadLog, match=r"game24.samples.parquet:13201: completion_tokens: is -2062") as caught:
        import_logs(store, path)
    assert "and 80 more bad lines" in str(caught.value)
    report = import_logs(store, path, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_samples, report.n_rejected) == (19_900, 100)
