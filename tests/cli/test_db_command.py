from __future__ import annotations

import json
import sqlite3

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.store.schema import HEAD


@pytest.fixture
def planner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_init_makes_a_store_once(planner, tmp_path):
    assert planner("db", "init").stdout.startswith("created")
    assert (tmp_path / "planner.db").exists()
    again = planner("db", "init")
    assert (again.exit_code, again.stdout.split(":")[0]) == (0, "nothing to do")


def test_status_of_no_store_is_not_ready_and_makes_none(planner, tmp_path):
    result = planner("db", "status")
    assert result.exit_code == 3
    assert "planner db init" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_status_is_printed_as_json(planner):
    planner("db", "init")
    result = planner("db", "status", "--json")
    assert result.exit_code == 0
    status = json.loads(result.stdout)
    assert (status["version"], status["head"], status["state"], status["n_runs"]) == (HEAD, HEAD, "current", 0)


def test_upgrade_says_where_nothing_is_to_do(planner):
    assert planner("db", "upgrade").stdout.startswith("upgraded from nothing")
    assert planner("db", "upgrade").stdout.startswith("nothing to do")


def test_a_schema_from_the_future_is_not_touched(planner, tmp_path):
    planner("db", "init")
    with sqlite3.connect(tmp_path / "planner.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert planner("db", "upgrade").exit_code == 3
    assert planner("models", "list").exit_code == 3


def test_the_schema_is_described(planner):
    assert "## samples" in planner("db", "schema").stdout


def test_a_folder_that_is_not_there_is_a_store_error(planner):
    result = planner("--database-url", "sqlite:////no/such/folder/planner.db", "db", "init")
    assert result.exit_code == 5
    assert "folder exists" in result.stderr
