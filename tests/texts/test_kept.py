from __future__ import annotations

from planner.store.rows import text_hash
from planner.texts.kept import HashedText, equal_texts, what_cannot_be_read
from planner.texts.sketch import VERSION, sketch


def hashed(text: str) -> HashedText:
    return HashedText(text_hash(text), sketch(text))


def test_texts_alone_are_their_own_names():
    assert equal_texts(["a", "", None, "b"]) == ["a", "", None, "b"]


def test_a_text_that_is_not_stored_is_named_as_the_stored_one_that_it_equals():
    assert equal_texts([hashed("a"), "b", "a"]) == ["a", "b", "a"]


def test_equal_texts_that_are_not_stored_have_one_name():
    one, other, another = equal_texts([hashed("a"), hashed("a"), hashed("b")])
    assert one == other != another


def test_nothing_is_said_of_texts_and_readable_sketches():
    assert what_cannot_be_read(["a", hashed("b"), None]) == ()


def test_sketches_of_another_version_and_none_are_counted_with_what_to_do():
    old = HashedText(text_hash("a"), bytes([VERSION + 1]) + sketch("a")[1:])
    found = what_cannot_be_read([old, HashedText(text_hash("b")), HashedText(text_hash("c")), "d"])
    assert [warning[:20] for warning in found] == ["1 of 4 prompts have ", "2 of 4 prompts have "]
    assert "another version" in found[0]
    assert all("import their logs again" in warning for warning in found)
