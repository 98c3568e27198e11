from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from store_worlds import NOW, run, sampled, tree

from planner.core import ModelCard
from planner.errors import InvalidInput


def test_undoing_an_import_leaves_the_store_as_it_was_before_it(store, all_rows):
    store.append([sampled("a", dataset="x")])
    before = all_rows(store)
    store.append([sampled("b", dataset="x"), tree("c", "another", generator="large", verifier="judge")])
    removed = store.undo(store.imports()[0].import_id)
    assert (removed.n_runs, removed.n_samples, removed.n_prompts) == (2, 5, 1)
    assert all_rows(store) == before


def test_a_prompt_that_other_runs_have_survives_the_undo_of_its_import(store):
    store.append([sampled("a")])
    first = store.imports()[0].import_id
    store.append([sampled("b")])
    store.undo(first)
    assert store.read_logs().prompts.ids == ("id of How many?",)
    assert store.append([run("c").model_copy(update={"prompt": None})]).runs == 1


def test_an_unknown_import_cannot_be_undone(store):
    with pytest.raises(InvalidInput, match="planner logs list"):
        store.undo("none")


def test_after_an_undo_the_same_log_may_come_again(store):
    store.append([sampled("a")])
    store.undo(store.imports()[0].import_id)
    assert store.append([sampled("a")]).runs == 1


def test_data_sets_and_generators_are_deleted_by_name(store):
    store.append(
        [sampled("a", "one", dataset="x"), sampled("b", "two", dataset="y"), sampled("c", "one", generator="g")]
    )
    assert store.delete(datasets=["y"]).n_prompts == 1
    removed = store.delete(generators=["g"])
    assert (removed.n_runs, removed.n_prompts) == (1, 0)
    assert [stats.generator for stats in store.stats()] == ["small"]


def test_all_conditions_must_hold(store):
    store.append([sampled("a", dataset="x"), sampled("b", "two", dataset="y", generator="g")])
    assert store.delete(datasets=["x"], generators=["g"]).n_runs == 0


def test_old_runs_are_deleted_by_time(store):
    store.append([run("old", started_at=NOW - timedelta(days=2)), run("new", started_at=NOW)])
    assert store.delete(before=NOW - timedelta(days=1)).n_runs == 1
    assert store.append([run("new")]).duplicates == 1


def test_no_run_is_older_than_a_year_that_was_mistyped(store):
    store.append([run("a", started_at=NOW), run("b")])
    assert store.delete(before=datetime(26, 1, 31, tzinfo=UTC)).n_runs == 0


@pytest.mark.parametrize(
    ("chosen", "message"),
    [({}, "say what"), ({"datasets": ["none"]}, "no data set"), ({"generators": ["none"]}, "no generator")],
)
def test_deleting_nothing_in_particular_is_refused(store, chosen, message):
    with pytest.raises(InvalidInput, match=message):
        store.delete(**chosen)


def test_models_with_a_card_outlive_their_runs(store):
    store.append([sampled("a", generator="carded"), sampled("b", generator="met")])
    store.save_models([ModelCard(name="carded")])
    store.undo(store.imports()[0].import_id)
    assert [model.card.name for model in store.models()] == ["carded"]


def test_what_a_card_says_replaces_what_was_known_and_the_rest_stays(store):
    store.save_models([ModelCard(name="m", kind="prm", active_params=1, tokens_per_second=9)])
    store.save_models([ModelCard(name="m", active_params=2)])
    assert store.models()[0].card == ModelCard(name="m", kind="prm", active_params=2, tokens_per_second=9)


def test_stats_count_by_data_set_generator_verifier_and_search(store):
    store.append([sampled("a", dataset="x"), sampled("b", dataset="x", corrects=(None,)), tree("c", verifier="judge")])
    rows = store.stats()
    assert [(r.generator, r.verifier, r.search, r.n_prompts, r.n_runs, r.n_samples, r.n_ungraded) for r in rows] == [
        ("small", None, "sampling", 1, 2, 4, 1),
        ("small", "judge", "beam_search", 1, 1, 2, 0),
    ]


def test_imports_are_listed_the_newest_first(store):
    store.append([sampled("a")], source="one")
    store.append([sampled("b"), sampled("a")], source="two")
    rows = store.imports()
    assert [(row.source, row.n_runs, row.n_duplicates) for row in rows] == [("two", 1, 1), ("one", 1, 0)]
