"""Tables as other tools write them: every value quoted, views of texts, nanoseconds, runs without a search."""

from __future__ import annotations

from flat_tables import parquet

from planner.formats import import_logs

RUN = {"prompt": "2 + 2?", "generator": "small", "answer": "4"}


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
