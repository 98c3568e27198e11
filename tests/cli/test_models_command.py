from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from planner.cli import main


@pytest.fixture
def planner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_cards_are_imported_and_listed(planner, tmp_path):
    (tmp_path / "models.toml").write_text('[[models]]\nname = "small"\nactive_params = 7e9\n')
    result = planner("models", "import", "models.toml")
    assert (result.exit_code, result.stdout) == (0, "imported 1 model card from models.toml\n")
    listed = planner("models", "list").stdout.splitlines()
    assert listed[0].split()[0] == "name"
    assert listed[1].split() == ["small", "generator", "7e+09", "yes"]
    [card] = json.loads(planner("models", "list", "--json").stdout)
    assert (card["name"], card["active_params"], card["has_card"]) == ("small", 7e9, True)


def test_a_model_that_no_log_and_no_card_gives_a_kind_is_named(planner, tmp_path):
    run = {"prompt": "1 + 1", "generator": "small", "verifier": "met", "selection": "best_of_n", "correct": 1}
    (tmp_path / "runs.jsonl").write_text(json.dumps(run))
    assert planner("logs", "import", "runs.jsonl").exit_code == 0
    cards = [{"name": name} for name in ("met", "small", "unmet")] + [{"name": "prm", "kind": "prm"}]
    (tmp_path / "models.json").write_text(json.dumps(cards))
    result = planner("models", "import", "models.json")
    assert result.exit_code == 0
    assert result.stderr.startswith("without a kind, taken for generators: unmet; ")
    kinds = {card["name"]: card["kind"] for card in json.loads(planner("models", "list", "--json").stdout)}
    assert kinds == {"met": "orm", "small": "generator", "unmet": "generator", "prm": "prm"}
    assert planner("models", "import", "models.json").stderr == ""


def test_a_bad_card_is_bad_input_and_changes_nothing(planner, tmp_path):
    (tmp_path / "models.json").write_text('[{"name": "good"}, {"name": "bad", "active_params": 0}]')
    result = planner("models", "import", "models.json")
    assert result.exit_code == 2
    assert "model 2 (bad): active_params" in result.stderr
    assert not (tmp_path / "planner.db").exists()


@pytest.mark.parametrize("field", ["max_concurrency", "revision_context_attempts"])
def test_a_number_that_no_store_holds_is_named(planner, tmp_path, field):
    (tmp_path / "models.json").write_text(json.dumps([{"name": "huge", field: 10**24}]))
    result = planner("models", "import", "models.json")
    assert result.exit_code == 2
    assert f"model 1 (huge): {field}: Input should be less than or equal to 2147483647" in result.stderr


def test_an_empty_store_says_how_models_come(planner):
    planner("db", "init")
    result = planner("models", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "planner models import" in result.stderr


def test_a_card_of_prices_alone_leaves_the_rest_as_it_was(planner, tmp_path):
    for name, card in (
        ("first.json", {"name": "judge", "kind": "prm", "active_params": 5e8}),
        ("later.json", {"name": "judge", "usd_per_million_prompt_tokens": 0.1}),
    ):
        (tmp_path / name).write_text(json.dumps([card]), "utf-8")
        assert planner("models", "import", name).exit_code == 0
    [found] = json.loads(planner("models", "list", "--json").stdout)
    assert (found["kind"], found["active_params"], found["usd_per_million_prompt_tokens"]) == ("prm", 5e8, 0.1)
