from __future__ import annotations

import pytest

from planner.core import ModelCard
from planner.errors import InvalidInput
from planner.store.card_files import read_model_cards

CARDS = [ModelCard(name="small", active_params=7e9), ModelCard(name="judge", kind="prm")]
JSON = '[{"name": "small", "active_params": 7e9}, {"name": "judge", "kind": "prm"}]'
TOML = '[[models]]\nname = "small"\nactive_params = 7e9\n[[models]]\nname = "judge"\nkind = "prm"\n'


@pytest.mark.parametrize(("name", "text"), [("m.json", JSON), ("m.json", f'{{"models": {JSON}}}'), ("m.toml", TOML)])
def test_cards_are_read_from_json_and_toml(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert read_model_cards(path) == CARDS


@pytest.mark.parametrize(("name", "text"), [("m.json", JSON), ("m.toml", TOML)])
def test_a_byte_order_mark_is_no_part_of_the_cards(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8-sig")
    assert read_model_cards(path) == CARDS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"name": "a", "active_params": -1}]', r"model 1 \(a\): active_params"),
        ('[{"name": "a"}, {"kind": "orm"}]', "model 2: name"),
        ('[{"name": "a", "price": 3}]', "price"),
        ('[{"name": "a", "kind": "judge"}]', "kind"),
        ('[{"name": "a"}, {"name": "a"}]', "two cards"),
        ("[3]", "model 1"),
        ("[]", "expected model cards"),
        ('{"name": "a"}', "expected model cards"),
        ("[{", "cannot be read as .json"),
        ('[{"name": "a", "active_params": NaN}]', "active_params"),
        (f'[{{"name": "a", "active_params": {"9" * 5000}}}]', "m.json: holds a number of thousands of digits"),
    ],
)
def test_a_bad_card_is_named_by_place_and_field(tmp_path, text, message):
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_model_cards(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"none\.json cannot be read"):
        read_model_cards(tmp_path / "none.json")


def test_a_file_of_another_kind_is_told_which_kinds_are_read(tmp_path):
    (tmp_path / "m.yaml").write_text("models:\n  - name: small\n")
    with pytest.raises(
        InvalidInput, match=r"m\.yaml: model cards are read from \.json and \.toml files, not from \.yaml"
    ):
        read_model_cards(tmp_path / "m.yaml")
