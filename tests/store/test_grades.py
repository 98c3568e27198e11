from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text
from store_worlds import run, sampled, tree

from planner.core import Sample
from planner.errors import InvalidInput
from planner.store.rows import as_batch


def test_a_later_record_fills_a_null_grade(store):
    store.append([run("a", breadth=4)])
    assert store.append([run("a", breadth=4, correct=1)]).grades == 1
    assert store.read_logs().runs.correct.tolist() == [1]
    assert store.count().n_ungraded == 0


def test_a_later_record_does_not_change_a_grade(store):
    store.append([run("a", correct=0)])
    assert store.append([run("a", correct=1)]).grades == 0
    assert store.read_logs().samples.correct.tolist() == [0]


def test_a_later_record_fills_null_grades_of_samples(store):
    store.append([sampled("a", corrects=(1, None, None))])
    assert store.count().n_ungraded == 2
    assert store.append([sampled("a", corrects=(0, 1, None))]).grades == 1
    assert np.array_equal(store.read_logs().samples.correct, [1, 1, np.nan], equal_nan=True)
    assert store.count().n_ungraded == 1


def apart(store, runs):
    with store.begin_import(source="x") as session:
        return [session.write(as_batch([one])).grades for one in runs][-1]


@pytest.mark.parametrize("write", [apart, lambda store, runs: store.append(runs).grades])
@pytest.mark.parametrize(
    ("first", "later", "of_samples"),
    [
        (run("a"), run("a", correct=1), []),
        (tree("a", correct=None), tree("a"), [1, 0]),
        (sampled("a", corrects=(1, None)), sampled("a", corrects=(0, 0.5)), [1, 0.5]),
    ],
)
def test_a_grade_of_the_same_import_is_filled_wherever_its_batches_end(store, write, first, later, of_samples):
    assert write(store, [first, run("b", "other"), later]) == 1
    (found,) = store.find_runs(["a"])
    assert (found.correct, [sample.correct for sample in found.samples]) == (later.correct, of_samples)
    assert store.count().n_ungraded == 1  # of b


def test_of_grades_that_come_again_the_first_counts(store):
    assert store.append([run("a"), run("a", correct=0), run("a", correct=1)]).grades == 1
    assert store.read_logs().samples.correct.tolist() == [0]


def test_stages_of_a_cascade_are_told_apart(store):
    def staged(*grades):
        return run(
            "a", search="cascade", samples=tuple(Sample(answer="1", stage=k, correct=y) for k, y in enumerate(grades))
        )

    store.append([staged(None, None)])
    assert store.append([staged(0, 1)]).grades == 2
    assert [sample.correct for sample in next(store.find_runs(["a"])).samples] == [0, 1]


def test_undoing_an_import_takes_its_grades_back(store):
    store.append([sampled("a", corrects=(1, None, None)), tree("b", correct=None)], source="first")
    store.append([sampled("a", corrects=(0, 0, 0)), tree("b", correct=0)], source="second")
    assert store.undo(store.imports()[0].import_id).n_grades == 3
    assert store.count().n_ungraded == 2
    assert store.append([sampled("a", corrects=(0, 1, 1)), tree("b", correct=1)]).grades == 3


def test_a_grade_that_was_given_since_stays_when_the_import_is_undone(store):
    store.append([tree("a", correct=None)], source="first")
    store.append([tree("a", correct=0)], source="second")
    store.grade("a", correct=1)
    assert store.undo(store.imports()[0].import_id).n_grades == 0
    assert store.read_logs().runs.correct.tolist() == [1]


def test_a_run_is_graded_by_its_id(store):
    store.append([tree("a", correct=None)])
    store.grade("a", correct=0.5, grader="me")
    assert store.read_logs().runs.correct.tolist() == [0.5]


def test_a_grade_of_a_run_of_one_sample_is_its_samples(store):
    store.append([run("a", samples=(Sample(answer="1"),))])
    store.grade("a", correct=1)
    assert store.read_logs().samples.correct.tolist() == [1]
    assert store.count().n_ungraded == 0


def test_a_later_grade_of_a_run_of_one_sample_is_its_samples_until_it_is_taken_back(store):
    store.append([run("a", samples=(Sample(answer="1"),))], source="first")
    assert store.append([run("a", correct=1)], source="second").grades == 1
    assert store.read_logs().samples.correct.tolist() == [1]
    assert store.count().n_ungraded == 0
    assert store.undo(store.imports()[0].import_id).n_grades == 1
    assert np.isnan(store.read_logs().samples.correct).all()
    assert store.count().n_ungraded == 1


def test_a_later_grade_of_a_lone_sample_counts_before_its_runs(store):
    store.append([run("a", samples=(Sample(answer="1"),))])
    store.append([run("a", correct=1, samples=(Sample(answer="1", correct=0.5),))])
    assert store.read_logs().samples.correct.tolist() == [0.5]


def test_a_lone_sample_that_lacks_the_grade_of_its_run_gets_it_when_the_run_comes_again(store):
    store.append([run("a", correct=1, samples=(Sample(answer="1"),))])
    with store.database.writing() as connection:  # as it was stored by a planner that left it so
        connection.execute(text("UPDATE samples SET correct = NULL"))
        connection.execute(text("UPDATE runs SET n_ungraded = 1"))
    assert store.append([run("a", samples=(Sample(answer="1"),))]).grades == 1
    assert store.read_logs().samples.correct.tolist() == [1]
    assert store.undo(store.imports()[0].import_id).n_grades == 1
    assert store.count().n_ungraded == 1


def test_a_run_that_comes_with_its_grade_gives_it_to_its_lone_sample(store):
    ungraded = (Sample(answer="1"), Sample(chain=1, answer="2"))
    store.append(
        [
            run("a", correct=1, samples=ungraded[:1]),
            tree("b", "other", correct=1).model_copy(update={"samples": ungraded}),
        ]
    )
    corrects = {one.run_id: [sample.correct for sample in one.samples] for one in store.find_runs(["a", "b"])}
    assert corrects == {"a": [1], "b": [None, None]}
    assert store.count().n_ungraded == 2


def test_an_unknown_run_cannot_be_graded(store):
    with pytest.raises(InvalidInput, match="no run 'b'"):
        store.grade("b", correct=1)


def test_a_run_that_chose_none_of_its_samples_cannot_be_graded(store):
    store.append([sampled("a", corrects=(None, None))])
    with pytest.raises(InvalidInput, match="chose none"):
        store.grade("a", correct=1)


@pytest.mark.parametrize("correct", [-0.1, 1.1, float("nan")])
def test_a_grade_lies_in_0_to_1(store, correct):
    with pytest.raises(InvalidInput, match="correct"):
        store.grade("a", correct=correct)
