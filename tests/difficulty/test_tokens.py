from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planner.difficulty import tokens
from planner.difficulty.tokens import TokenTable
from planner.texts.tokens import split

TABLE = TokenTable.fit(["Add 3 apples, and 4 pears.", "add 3 pears, and 12!", "f(x) = 3"])


def code_of(token: str) -> int:
    return TABLE.code.get(token, min(len(token), tokens.N_SHAPES) if token.isdecimal() else tokens.UNKNOWN)


@given(st.lists(st.text(max_size=60) | st.sampled_from(["add 3\u2003pears,and\x1cAND", "\u00c9t\u00c9 123456789012"])))
def test_codes_are_those_of_the_tokens_of_the_whole_text_however_often_it_is_read(texts):
    for _ in range(2):
        codes, lengths = TABLE.encode(texts)
        assert codes.tolist() == [code_of(token) for text in texts for token in split(text)]
        assert lengths.tolist() == [len(split(text)) for text in texts]


def test_what_is_kept_of_texts_is_bounded(monkeypatch):
    monkeypatch.setattr(tokens, "MOST_CHUNKS", 10)
    table = TokenTable(("add",))
    long = "x" * (tokens.LONGEST_CHUNK + 1)
    for number in range(100):
        codes, _ = table.encode([f"add {number} {long}"])
        assert codes.tolist() == [tokens.FIRST_WORD, len(str(number)), tokens.UNKNOWN]
        assert len(table.codes_of) <= 10
    assert long not in table.codes_of
