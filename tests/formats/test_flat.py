"""Flat tables: one row a sample, Parquet or CSV; and tables of runs."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flat_tables import parquet, text_table
from pyarrow import csv

from planner.errors import BadLog
from planner.formats import import_logs
from planner.formats.limits import MAX_TEXT_BYTES


@pytest.mark.parametrize(
    ("write", "name"), [(parquet, "t.parquet"), (text_table, "t.csv"), (text_table, "t.csv.gz")]
)  # fmt: skip
def test_rows_of_one_key_become_one_sampling_run(store, rows, tmp_path, write, name):
    report = import_logs(store, write(tmp_path / name))
    assert (report.n_runs, report.n_samples) == (2, 4)
    (run,) = rows("SELECT search, breadth, depth FROM runs JOIN arms USING (arm_key) WHERE run_id = 'r1'")
    assert run == {"search": "sampling", "breadth": 2, "depth": 2}
    samples = rows(
        "SELECT chain, attempt, samples.answer, score, samples.completion_tokens FROM samples "
        "JOIN runs USING (run_key) WHERE run_id = 'r1' ORDER BY chain, attempt"
    )
    assert [tuple(row.values()) for row in samples] == [
        (0, 0, "3", None, None), (0, 1, "4", 0.75, 8), (1, 0, "5", 0.25, 7),
    ]  # fmt: skip
    assert rows("SELECT text FROM prompts WHERE prompt_id = 'p2'") == [{"text": 'a "quoted",\nbroken line'}]


@pytest.mark.parametrize("write", [parquet, text_table])
def test_importing_a_table_twice_changes_nothing(store, contents, tmp_path, write):
    path = write(tmp_path / ("t.csv" if write is text_table else "t.parquet"), run_id=..., chain=..., attempt=...)
    import_logs(store, path)
    before = contents()
    assert import_logs(store, path).import_id is None
    assert contents() == before


def test_rows_that_name_no_chain_are_chains_in_their_order(store, rows, tmp_path):
    import_logs(store, parquet(tmp_path / "t.parquet", chain=..., attempt=..., run_id=...))
    samples = rows("SELECT chain, attempt, answer FROM samples JOIN runs USING (run_key, answer) WHERE 0") or rows(
        "SELECT samples.chain, samples.attempt, samples.answer FROM samples JOIN runs USING (run_key) "
        "JOIN prompts USING (prompt_key) WHERE prompt_id = 'p1' ORDER BY chain"
    )
    assert [tuple(row.values()) for row in samples] == [(0, 0, "5"), (1, 0, "4"), (2, 0, "3")]


def test_a_run_that_is_cut_by_the_end_of_a_shard_is_told(store, tmp_path):
    columns = {
        "prompt": [f"q{i // 8}" for i in range(80)],
        "generator": ["small"] * 80,
        "run_id": [f"pass-{i // 8}" for i in range(80)],
        "answer": [str(i % 3) for i in range(80)],
        "correct": [float(i % 2) for i in range(80)],
    }
    whole, shards = pa.table(columns), [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    pq.write_table(whole.slice(0, 44), shards[0])
    pq.write_table(whole.slice(44), shards[1])
    report = import_logs(store, shards)
    assert report.n_samples == 76
    (warning,) = report.warnings
    assert warning.startswith(
        "1 runs that are logged came with samples or answers that are not, such as run_id 'pass-5'"
    )
    assert f"({report.import_id}; `planner logs undo ID`)" in warning
    assert import_logs(store, shards).warnings == (warning,)
    store.undo(report.import_id)
    pq.write_table(whole, shards[0])
    report = import_logs(store, shards[0])
    assert (report.n_samples, report.warnings) == (80, ())


def test_params_tell_pools_apart(store, rows, tmp_path):
    params = ['{"temperature": 0}', '{"temperature":0.8}', '{ "temperature": 0.80 }', None]
    import_logs(store, parquet(tmp_path / "t.parquet", params=params, run_id=..., chain=..., attempt=...))
    found = {row["params"] for row in rows("SELECT DISTINCT params FROM arms")}
    assert found == {'{"temperature":0}', '{"temperature":0.8}', "{}"}


def test_run_ids_that_count_anew_for_each_prompt_stay_apart(store, rows, tmp_path):
    import_logs(store, parquet(tmp_path / "t.parquet", run_id=["0"] * 4))
    assert len(rows("SELECT run_id FROM runs")) == 2


def test_whole_numbers_stand_for_their_digits_in_ids_and_answers(store, rows, tmp_path):
    numbered = {"prompt_id": [1, 1, 1, 2], "run_id": [7, 7, 7, 8], "answer": [5, 4, None, -3]}
    import_logs(store, parquet(tmp_path / "t.parquet", **numbered))
    assert {row["prompt_id"] for row in rows("SELECT prompt_id FROM prompts")} == {"1", "2"}
    assert {row["run_id"] for row in rows("SELECT run_id FROM runs")} == {"7", "8"}
    assert {row["answer"] for row in rows("SELECT answer FROM samples")} == {"5", "4", None, "-3"}
    again = import_logs(store, text_table(tmp_path / "t.csv", **numbered))
    assert (again.import_id, again.warnings) == (None, ())


def test_a_prompt_without_id_gets_the_hash_of_its_text(store, rows, tmp_path):
    prompts = ["2 + 2?"] * 3 + ["3 + 3?"]
    import_logs(store, parquet(tmp_path / "t.parquet", prompt=prompts, prompt_id=...))
    assert all(row["prompt_id"] == row["text_sha256"] for row in rows("SELECT prompt_id, text_sha256 FROM prompts"))


def test_columns_of_narrow_dictionary_and_boolean_types_are_read(store, rows, tmp_path):
    path = parquet(
        tmp_path / "t.parquet",
        generator=pa.array(["small"] * 4).dictionary_encode(),
        answer=pa.array(["5", "4", "3", None], pa.large_string()),
        correct=pa.array([False, True, False, False]),
        chain=pa.array([1, 0, 0, 0], pa.int8()),
        completion_tokens=pa.array([7.0, 8.0, float("nan"), 9.0], pa.float32()),
        __index_level_0__=[0, 1, 2, 3],
    )
    import_logs(store, path)
    total = rows("SELECT sum(correct) AS correct, sum(completion_tokens) AS tokens FROM samples")
    assert total == [{"correct": 1.0, "tokens": 24}]


CASES = [
    ({"correct": [0.0, 2.0, 0.0, 0.0]}, 2, "correct: is 2, expected a number in 0..1"),
    ({"completion_tokens": [7, -8, 1, 9]}, 2, "completion_tokens: is -8, expected a whole number in 0.."),
    ({"chain": [1, 0, -1, 0]}, 3, "chain: is -1, expected a whole number"),
    ({"score": [0.5, float("inf"), 0.1, 0.2]}, 2, "score: is inf, expected a finite number"),
    ({"generator": ["small", None, "small", "small"]}, 2, "generator: is missing, expected the generator's name"),
    ({"status": ["ok", "ok", "fine", "ok"]}, 3, "status: is 'fine', expected one of ok, truncated, error"),
    ({"answer": ["5", "4", "a\0b", None]}, 3, "answer: holds a NUL character"),
    ({"params": ["{}", "{}", "[1]", None]}, 3, "params: is no JSON object, expected a JSON object"),
    ({"prompt_id": ["p1", None, "p1", "p2"]}, 2, "prompt: neither prompt nor prompt_id stands here"),
    ({"prompt": ["2 + 2?", "other", None, "b"]}, 2, "prompt: prompt_id 'p1' stands for another text (line"),
    ({"prompt": ["x" * 10_000_000, None, None, "b"]}, 1, f"has 10,000,000 bytes, the limit is {MAX_TEXT_BYTES:,}"),
    ({"chain": [1, 0, 0, 0], "attempt": [0, 0, 0, 0]}, 3, "chain: chain 0, attempt 0 of this run stands in line"),
    ({"prompt": ["2 + 2?", None, None, None]}, 4, "prompt: the text of prompt_id 'p2' is not known yet"),
    (
        {"answer": ["5", None, "3", None], "correct": [0.0, None, 0.0, 0.0]},
        2, "answer: neither answer nor correct stands here",
    ),
]  # fmt: skip


@pytest.mark.parametrize("write", [parquet, text_table])
@pytest.mark.parametrize(("changes", "row", "message"), CASES, ids=[message[:40] for *_, message in CASES])
def test_a_bad_row_is_named_with_field_and_what_was_expected(store, contents, tmp_path, write, changes, row, message):
    before = contents()
    path = write(tmp_path / ("t.csv" if write is text_table else "t.parquet"), **changes)
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    line = row + 1 if write is text_table else row
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)
    assert contents() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": ...}, "generator: the table has no such column"),
        ({"prompt": ..., "prompt_id": ...}, "prompt: the table has no such column, expected prompt or prompt_id"),
        ({"answer": ..., "correct": ...}, "answer: the table has no such column, expected answer or correct"),
        ({"answer": [1.5, 2.0, 3.0, 4.0]}, "answer: the column holds double, expected text"),
        ({"correct": [["a"], ["b"], ["c"], ["d"]]}, "correct: the column holds list<"),
        ({"chain": [True, False, True, False]}, "chain: the column holds bool, expected numbers"),
    ],
)
def test_a_column_that_is_missing_or_of_another_type_is_named(store, tmp_path, changes, message):
    with pytest.raises(BadLog) as caught:
        import_logs(store, parquet(tmp_path / "t.parquet", **changes))
    assert message in str(caught.value)


def test_a_line_of_csv_is_counted_past_values_that_hold_line_breaks(store, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('prompt,generator,answer,correct\n"one\ntwo\nthree",a,x,1\nfour,a,y,maybe\n')
    with pytest.raises(BadLog, match=r"t.csv:5: correct: is 'maybe', expected a number in 0..1"):
        import_logs(store, path)


def test_a_row_of_csv_with_too_many_values_is_named(store, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("prompt,generator,answer,correct\none,a,x,1\ntwo,a,y,1,what\n")
    with pytest.raises(BadLog, match=r"t.csv:3: row: the row has 5 values, expected 4"):
        import_logs(store, path)


def test_invalid_utf8_in_csv_is_named(store, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"prompt,generator,answer,correct\none,a,x,1\ntw\xffo,a,y,1\n")
    with pytest.raises(BadLog, match=r"t.csv:3: prompt: is no valid UTF-8"):
        import_logs(store, path)


def test_nan_none_and_empty_numbers_in_csv_are_null(store, rows, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "prompt,generator,answer,correct,score,prompt_tokens\none,a,None,True,NaN,\none,a,x,false,nan,3.0\n"
    )
    import_logs(store, path)
    found = rows("SELECT answer, correct, score, prompt_tokens FROM samples ORDER BY chain")
    assert [tuple(row.values()) for row in found] == [("None", 1.0, None, None), ("x", 0.0, None, 3)]


@pytest.mark.parametrize("cut", [10, 100, -20])
def test_a_parquet_file_that_is_cut_off_is_refused(store, contents, tmp_path, cut):
    before = contents()
    path = parquet(tmp_path / "t.parquet")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadLog, match=r"t.parquet: cannot be read as parquet"):
        import_logs(store, path)
    assert contents() == before


def test_good_rows_are_imported_where_bad_ones_are_skipped(store, rows, tmp_path):
    path = parquet(tmp_path / "t.parquet", correct=[0.0, 7.0, 0.0, 0.0])
    report = import_logs(store, path, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_samples, report.n_rejected) == (3, 1)
    written = json.loads((tmp_path / "rejected.jsonl").read_text())
    assert written["line"]["correct"] == 7.0
    assert len(rows("SELECT * FROM samples")) == 3


RAGGED = "prompt,generator,{}\none,a,x,1\ntwo,a\n"


@pytest.mark.parametrize("column", ["answer", "search"])
def test_every_row_of_a_csv_without_a_good_one_is_named(store, tmp_path, column):
    (tmp_path / "t.csv").write_text(RAGGED.format(column))
    with pytest.raises(BadLog) as caught:
        import_logs(store, tmp_path / "t.csv")
    assert [line.partition("t.csv:")[2] for line in str(caught.value).splitlines()[:2]] == [
        "2: row: the row has 4 values, expected 3, one a column",
        "3: row: the row has 2 values, expected 3, one a column",
    ]
    report = import_logs(store, tmp_path / "t.csv", skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.import_id, report.n_rejected) == (None, 2)
    assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 2


RUNS = {
    "run_id": ["r1", "r2"],
    "prompt": ["2 + 2?", "2 + 2?"],
    "generator": ["small", "small"],
    "search": ["beam_search", "sampling"],
    "selection": ["best_of_n", None],
    "breadth": [4, 1],
    "params": ['{"beam_width": 2}', None],
    "correct": [1.0, float("nan")],
    "completion_tokens": [100, None],
    "samples": ['[{"chain": 0, "answer": "4", "correct": true, "score": 0.5}]', None],
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "nested"])
def test_a_table_with_a_search_is_read_as_runs(store, rows, tmp_path, kind):
    columns = dict(RUNS)
    if kind == "nested":
        columns["samples"] = [None if one is None else json.loads(one) for one in RUNS["samples"]]
        columns["params"] = [None if one is None else json.loads(one) for one in RUNS["params"]]
    path = tmp_path / ("t.csv" if kind == "csv" else "t.parquet")
    write = csv.write_csv if kind == "csv" else pq.write_table
    write(pa.table(columns), path)
    report = import_logs(store, path)
    assert (report.n_runs, report.n_samples) == (2, 1)
    found = rows("SELECT search, breadth, params, correct FROM runs JOIN arms USING (arm_key) ORDER BY run_id")
    assert [tuple(row.values()) for row in found] == [
        ("beam_search", 4, '{"beam_width":2}', 1.0), ("sampling", 1, "{}", None),
    ]  # fmt: skip


def test_a_bad_row_of_a_table_of_runs_is_named(store, tmp_path):
    pq.write_table(pa.table(RUNS | {"search": ["sampling", "magic"]}), tmp_path / "t.parquet")
    with pytest.raises(BadLog, match=r"t.parquet:2: search: 'magic' is no known search, expected one of sampling"):
        import_logs(store, tmp_path / "t.parquet")


def test_a_number_that_cannot_be_kept_is_named_within_the_samples_of_a_row(store, tmp_path):
    pq.write_table(pa.table(RUNS | {"samples": ['[{"chain": 0}, {"score": NaN}]', None]}), tmp_path / "t.parquet")
    with pytest.raises(BadLog, match=r"t.parquet:1: samples\[1\]\.score: holds NaN, expected finite numbers"):
        import_logs(store, tmp_path / "t.parquet")
