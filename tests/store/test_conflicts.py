"""What an import says otherwise than the store is told, and doing as told puts it right."""

from __future__ import annotations

import re

import pytest
from store_worlds import run, sampled

from planner.core import Sample
from planner.store.rows import as_batch

WHERE = re.compile(r"\(([^()]*); `planner logs undo ID`\)")


def imported(store, *batches, texts=True):
    """Warnings of one import of these batches of runs."""
    with store.begin_import(source="x", store_prompt_text=texts) as session:
        for batch in batches:
            session.write(as_batch(batch))
        return session.warnings()


def undo_as_told(store, warning):
    for import_id in WHERE.search(warning)[1].split(", "):
        store.undo(import_id)


def drawn(*answers, first=0, **values):
    samples = tuple(Sample(chain=first + place, answer=answer) for place, answer in enumerate(answers))
    return run("a", samples=samples, **values)


def test_samples_of_a_known_run_at_new_places_are_told_and_doing_as_told_brings_them(store):
    imported(store, [drawn("1"), run("b", "other")])
    (warning,) = imported(store, [drawn("1", "2"), run("b", "other")])
    assert warning.startswith("1 runs that are logged came with samples or answers that are not, such as run_id 'a'")
    undo_as_told(store, warning)
    assert imported(store, [drawn("1", "2"), run("b", "other")]) == []
    assert store.count().n_samples == 2


@pytest.mark.parametrize("apart", [True, False])
def test_samples_that_one_import_numbers_alike_are_told_by_their_answers(store, apart):
    batches = [[drawn("1", "2")], [drawn("1", "3")]] if apart else [[drawn("1", "2"), drawn("1", "3")]]
    (warning,) = imported(store, *batches)
    assert "run_id 'a'" in warning
    assert store.imports()[0].import_id in warning


def test_samples_of_another_import_are_told_by_their_tokens(store):
    def counted(tokens):
        return run("a", samples=(Sample(answer="1", completion_tokens=tokens),))

    imported(store, [counted(20)])
    assert imported(store, [counted(20)]) == imported(store, [counted(None)]) == []
    assert len(imported(store, [counted(21)])) == 1


def test_what_is_stored_is_not_told(store):
    imported(store, [sampled("a", corrects=(None, None)), run("b")], [sampled("a", corrects=(None, None)), run("b")])
    grades_alone = run("a", samples=tuple(Sample(chain=chain, correct=1) for chain in range(2)))
    assert imported(store, [sampled("a", corrects=(None,))]) == imported(store, [grades_alone]) == []


def test_other_grades_are_told_and_doing_as_told_brings_them(store):
    def graded(*corrects):
        return run("a", samples=tuple(Sample(chain=i, answer=str(i), correct=one) for i, one in enumerate(corrects)))

    imported(store, [graded(1, 0, None), sampled("b", corrects=(1,))])
    again = [graded(1, 1, 0), sampled("b", corrects=(1,))]
    (warning,) = imported(store, again)
    assert warning.startswith("1 runs that are logged came with other grades, such as run_id 'a'")
    undo_as_told(store, warning)
    assert imported(store, again) == []
    assert {run.run_id: [one.correct for one in run.samples] for run in store.stream_runs()}["a"] == [1, 1, 0]


def test_answers_of_another_import_are_told_unless_they_were_read_anew(store):
    imported(store, [drawn("so it is 4")])
    with store.begin_import(source="x") as session:
        session.write(as_batch([drawn("4")]))
        assert session.warnings(answers_as_logged=False) == []
        assert len(session.warnings()) == 1


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("later", [True, False])
def test_answers_that_are_kept_as_hashes_are_known_again(store, first, later):
    imported(store, [drawn("x" * 100)], texts=first)
    assert imported(store, [drawn("x" * 100)], texts=later) == []
    assert len(imported(store, [drawn("y" * 100)], texts=later)) == 1


def test_another_reference_and_data_set_are_told_and_doing_as_told_puts_them_right(store):
    wrong, right = {"reference": "WRONG", "dataset": "wrong"}, {"reference": "7", "dataset": "right"}
    store.append([run("a", **wrong), run("b", "other", **wrong)])
    store.append([run("c", generator="large")])
    store.undo(store.imports()[1].import_id)
    about_dataset, about_reference = imported(store, [run("a", **right), run("b", "other", **right)])
    assert about_dataset.startswith("1 prompts are stored with another dataset than is given here")
    assert "prompt_id 'id of How many?' with 'WRONG' instead of '7'" in about_reference
    undo_as_told(store, about_reference)
    assert imported(store, [run("a", **right), run("b", "other", **right)], [run("c", generator="large")]) == []
    assert {(one.reference, one.dataset) for one in store.stream_runs()} == {("7", "right")}


def test_details_that_are_the_same_or_new_are_not_told(store):
    store.append([run("a", reference="7")])
    assert imported(store, [run("b", reference="7", dataset="x")], [run("c")]) == []


def test_of_many_imports_the_oldest_are_named(store):
    for number in range(12):
        store.append([run(str(number), reference="7")], import_id=f"import {number}")
    (warning,) = imported(store, [run("x", reference="8" * 100)])
    assert "import 0, import 1," in warning
    assert "import 9 and 3 more;" in warning
    assert "8" * 61 not in warning
