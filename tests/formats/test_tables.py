"""Tables as other tools write them: every value quoted, views of texts, nanoseconds, runs without a search."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flat_tables import parquet

from planner.errors import BadLog
from planner.formats import import_logs

RUN = {"prompt": "2 + 2?", "generator": "small", "answer": "4"}


def quoted(path, *rows):
    """CSV whose every value stands in quotes; null is the empty text."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_empty_values_of_a_flat_table_that_quotes_all_are_null(store, rows, tmp_path):
    empty = dict.fromkeys(("verifier", "reference", "params", "metadata", "correct", "score", "chain", "status"), "")
    import_logs(store, quoted(tmp_path / "t.csv", RUN | empty))
    (sample,) = rows("SELECT answer, correct, score, status FROM samples")
    assert tuple(sample.values()) == ("4", None, None, None)
    assert rows("SELECT reference, metadata FROM prompts") == [{"reference": None, "metadata": None}]


def test_empty_values_of_a_table_of_runs_that_quotes_all_are_null(store, rows, tmp_path):
    names = ("search", "selection", "verifier", "dataset", "reference", "params", "samples", "status", "started_at")
    import_logs(store, quoted(tmp_path / "t.csv", RUN | dict.fromkeys((*names, "correct", "usd"), "")))
    (run,) = rows("SELECT answer, correct, usd, started_at, status FROM runs")
    assert tuple(run.values()) == ("4", None, None, None, "ok")


def test_text_that_is_no_number_is_still_named(store, tmp_path):
    with pytest.raises(BadLog, match=r"t.csv:2: correct: is '\?', expected a number"):
        import_logs(store, quoted(tmp_path / "t.csv", RUN | {"correct": "?"}))


@pytest.mark.parametrize("extra", [{}, {"search": ["sampling"]}], ids=["flat", "runs"])
def test_views_of_texts_and_bytes_are_read(store, rows, tmp_path, extra):
    columns = {
        "prompt": pa.array(["2 + 2?"], pa.string_view()),
        "generator": pa.array([b"small"], pa.binary_view()),
        "answer": pa.array(["4"], pa.string_view()),
    }
    pq.write_table(pa.table(columns | extra), tmp_path / "t.parquet")
    import_logs(store, tmp_path / "t.parquet")
    assert rows("SELECT text FROM prompts") == [{"text": "2 + 2?"}]
    assert rows("SELECT name FROM models") == [{"name": "small"}]


def runs_at(path, times):
    columns = {name: [value] * len(times) for name, value in RUN.items()} | {"search": ["sampling"] * len(times)}
    pq.write_table(pa.table(columns | {"started_at": times}), path)
    return path


def test_a_time_to_the_nanosecond_is_kept_to_the_microsecond(store, tmp_path):
    path = runs_at(tmp_path / "t.parquet", pa.array([1_700_000_000_000_001_999], pa.timestamp("ns", "UTC")))
    import_logs(store, path)
    (run,) = store.stream_runs()
    assert run.started_at == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)


def test_a_time_that_python_cannot_tell_is_named_with_its_line(store, tmp_path):
    times = pa.array([0, 2**62], pa.timestamp("us", "UTC"))
    with pytest.raises(BadLog, match=r"^\S+t.parquet:2: started_at: is '4611686018427387904', expected an ISO 8601"):
        import_logs(store, runs_at(tmp_path / "t.parquet", times))


@pytest.mark.parametrize("is_text", [False, True], ids=["nested", "json"])
def test_a_table_with_samples_is_one_of_runs_without_a_search_too(store, tmp_path, is_text):
    samples = [{"answer": "4", "correct": 1.0}, {"answer": "5", "correct": 0.0}]
    given = RUN | {"samples": json.dumps(samples) if is_text else samples}
    pq.write_table(pa.Table.from_pylist([given]), tmp_path / "t.parquet")
    report = import_logs(store, tmp_path / "t.parquet")
    assert (report.n_runs, report.n_samples) == (1, 2)


def test_metadata_may_speak_of_infinity(store, rows, tmp_path):
    film = '{"title": "Avengers: Infinity War"}'
    import_logs(store, parquet(tmp_path / "t.parquet", metadata=[film, None, None, None]))
    (found,) = rows("SELECT metadata FROM prompts WHERE prompt_id = 'p1'")
    assert json.loads(found["metadata"]) == json.loads(film)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"x": Infinity}', "metadata: holds inf, expected finite numbers"),
        ('{"x": [NaN]}', "metadata: holds nan, expected finite numbers"),
        (r'{"x": "\ud800"}', "metadata: holds half of a surrogate pair"),
        ("[1]", "metadata: is no JSON object, expected a JSON object"),
        ('{"a":' * 10_000, "metadata: is no JSON object, expected a JSON object"),
    ],
    ids=["infinity", "nan", "surrogate", "array", "deep"],
)
def test_metadata_that_cannot_be_kept_is_named_and_skipped(store, tmp_path, text, message):
    path = parquet(tmp_path / "t.parquet", metadata=[None, None, None, text])
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    assert str(caught.value).startswith(f"{path}:4: {message}")
    report = import_logs(store, path, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_runs, report.n_rejected) == (1, 1)


def test_a_run_keeps_its_id_when_another_of_its_table_gets_a_score(store, tmp_path):
    columns = {"run_id": ..., "generator": ["small"] * 4, "score": [None] * 4, "verifier": ...}
    known = import_logs(store, parquet(tmp_path / "t.parquet", **columns))
    assert (known.n_runs, known.n_samples) == (2, 4)
    grown = import_logs(store, parquet(tmp_path / "t.parquet", **columns | {"score": [None, None, None, 0.5]}))
    assert (grown.n_runs, grown.n_samples, grown.n_duplicates) == (1, 1, 1)


def test_ids_of_runs_with_values_in_all_columns_are_what_they_always_were(store, rows, tmp_path):
    import_logs(store, parquet(tmp_path / "t.parquet", run_id=...))
    (run,) = rows("SELECT run_id FROM runs JOIN prompts USING (prompt_key) WHERE prompt_id = 'p1'")
    assert run == {"run_id": "810c28bd4490a029e2a2825611438529baf437aa681313fd5b7883f6488a5f46"}


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_table_whose_columns_no_comma_separates_says_so(store, tmp_path, separator, word):
    path = tmp_path / "t.csv"
    path.write_text(separator.join(RUN) + "\n" + separator.join(RUN.values()), encoding="utf-8-sig")
    with pytest.raises(BadLog, match=f"t.csv:1: row: the columns are separated by {word}, expected commas"):
        import_logs(store, path)


def test_columns_without_a_name_are_left_out(store, rows, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",prompt,generator,answer,correct,,\r\n0,2 + 2?,small,4,TRUE,,\r\n1,2 + 2?,small,5,FALSE,,note\r\n")
    import_logs(store, path)
    assert rows("SELECT answer, correct FROM samples") == [
        {"answer": "4", "correct": 1.0},
        {"answer": "5", "correct": 0.0},
    ]


def test_a_table_of_nothing_but_its_header_has_no_rows(store, tmp_path):
    (tmp_path / "t.csv").write_text("prompt,generator,answer\n")
    with pytest.raises(BadLog, match=r"t.csv:1: row: the table has no rows"):
        import_logs(store, tmp_path / "t.csv")


@pytest.mark.parametrize("extra", [{}, {"search": "sampling"}], ids=["flat", "runs"])
def test_columns_that_are_no_field_are_left_out_and_named(store, tmp_path, extra):
    report = import_logs(store, quoted(tmp_path / "t.csv", RUN | extra | {"scores": "0.9", "correct": "1"}))
    (warning,) = report.warnings
    assert warning.startswith("columns that are no field of a log were left out: scores; ")
    assert import_logs(store, quoted(tmp_path / "u.csv", RUN | extra | {"correct": "1"})).warnings == ()


@pytest.mark.parametrize("column", ["dataset", "search"], ids=["flat", "runs"])
def test_rows_in_which_nothing_stands_are_no_rows(store, rows, tmp_path, column):
    path = tmp_path / "t.csv"
    path.write_text(
        f"prompt,generator,answer,correct,{column}\r\n,,,,\r\n2 + 2?,small,4,1,\r\n,,,,\r\n2 + 2?,big,5,?,\r\n"
    )
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    assert str(caught.value).startswith(f"{path}:5: correct: is '?'")
    report = import_logs(store, path, skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert (report.n_runs, report.n_rejected) == (1, 1)
    assert rows("SELECT answer FROM samples UNION ALL SELECT answer FROM runs WHERE answer IS NOT NULL") == [
        {"answer": "4"}
    ]


def test_a_table_of_nothing_but_blank_rows_has_no_rows(store, tmp_path):
    (tmp_path / "t.csv").write_text("prompt,generator,answer\n,,\n,,\n")
    with pytest.raises(BadLog, match=r"t.csv:1: row: the table has no rows"):
        import_logs(store, tmp_path / "t.csv")
