"""Prompts whose texts are not stored."""

from __future__ import annotations

import pytest
from sqlalchemy import text as sql
from store_worlds import run

from planner.artifacts.fingerprint import fingerprint
from planner.core import Sample
from planner.errors import BadLog
from planner.store.rows import text_hash
from planner.texts.kept import HashedText
from planner.texts.sketch import sketch

LONG = "You asked how many, and I counted them all, one after the other, which is seven."
HASHED = HashedText(text_hash("How many?"), sketch("How many?"))


def kept(store):
    with store.database.reading() as connection:
        return connection.execute(sql("SELECT text, sketch FROM prompts")).all()


def set_sketch(store, value):
    with store.database.writing() as connection:
        connection.execute(sql("UPDATE prompts SET sketch = :value"), {"value": value})


def test_beside_a_text_there_is_no_sketch(store):
    store.append([run("a")])
    assert kept(store) == [("How many?", None)]


def test_a_text_that_is_stored_stays_where_texts_are_not_stored_any_more(store):
    store.append([run("a")])
    store.append([run("b")], store_prompt_text=False)
    assert kept(store) == [("How many?", None)]


def test_a_text_takes_the_place_of_its_sketch_where_texts_are_stored_again(store):
    store.append([run("a")], store_prompt_text=False)
    assert store.append([run("a"), run("b")]).prompts == 1
    assert kept(store) == [("How many?", None)]


@pytest.mark.parametrize("old", [None, b"\xff of another version"])
def test_a_sketch_is_made_anew_where_there_is_none_of_this_version(store, old):
    store.append([run("a")], store_prompt_text=False)
    set_sketch(store, old)
    assert store.read_logs().prompts.texts == (HashedText(HASHED.sha256, old),)
    store.append([run("a")], store_prompt_text=False)
    assert store.read_logs().prompts.texts == (HASHED,)


def test_one_batch_may_bring_a_prompt_that_it_brings_again(store):
    store.append([run("a"), run("b"), run("c", "Which?")], store_prompt_text=False)
    assert len(kept(store)) == 2


def test_a_prompt_is_made_known_by_hash_and_sketch(store):
    store.add_hashed_prompt("id of How many?", text_sha256=HASHED.sha256, n_characters=9, sketch=HASHED.sketch)
    store.append([run("a").model_copy(update={"prompt": None})], store_prompt_text=False)
    assert store.read_logs().prompts.texts == (HASHED,)


def test_a_hash_is_the_id_of_a_text_whose_own_id_stands_for_another(store):
    store.append([run("a", prompt_id="p")])
    other = {"text_sha256": text_hash("Which?"), "n_characters": 6}
    assert [store.add_hashed_prompt("p", **other) for _ in range(2)] == [text_hash("Which?")] * 2
    assert store.add_hashed_prompt("p", text_sha256=HASHED.sha256, n_characters=9) == "p"
    assert store.count().n_prompts == 2


def test_a_hash_that_is_the_id_of_another_text_is_refused(store):
    store.append([run("a", prompt_id="p"), run("b", "Who?", prompt_id=text_hash("Which?"))])
    with pytest.raises(BadLog, match="stands for another text"):
        store.add_hashed_prompt("p", text_sha256=text_hash("Which?"), n_characters=6)


def test_answers_leave_no_texts_and_long_ones_a_hash(store):
    samples = tuple(Sample(answer=answer, text=f"{LONG} {answer}", correct=1) for answer in ("7", LONG, LONG, None))
    store.append([run("a", answer=LONG, samples=samples)], store_prompt_text=False)
    (found,) = store.stream_runs()
    assert found.answer == f"sha256:{text_hash(LONG)}"
    assert [sample.answer for sample in found.samples] == ["7", found.answer, found.answer, None]
    assert [sample.text for sample in found.samples] == [None] * 4


def test_a_fingerprint_tells_texts_from_sketches_and_sketches_from_each_other(store):
    prints = []
    store.append([run("a", correct=1)], store_prompt_text=False)
    for value in (HASHED.sketch, sketch("Which?"), None):
        set_sketch(store, value)
        prints.append(fingerprint(store.read_logs()))
    store.append([run("a", correct=1)])
    assert len({*prints, fingerprint(store.read_logs())}) == 4
