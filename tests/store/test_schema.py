from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import event, text
from store_worlds import sampled

from planner.errors import InvalidInput, SchemaOutdated, StoreError
from planner.store import Store
from planner.store.engine import Database
from planner.store.migrate import migration_config, migrations_folder, upgrade
from planner.store.schema import HEAD, PAGE_BYTES, create_schema, schema_status
from planner.store.schema_text import schema_markdown
from planner.store.tables import metadata


def differences(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.reading() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def test_the_newest_migration_is_the_one_that_the_code_asks_for():
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migration_config()).get_current_head() == HEAD


def test_migrations_make_the_tables_that_the_code_uses(empty_url):
    database = Database(empty_url)
    upgrade(database)
    assert differences(database) == []
    assert schema_status(database).state == "current"
    database.close()


def test_migrations_and_a_new_file_have_the_same_columns(tmp_path):
    def shape(path):
        with sqlite3.connect(path) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {
                table: (
                    connection.execute(f"PRAGMA table_info({table})").fetchall(),
                    sorted(row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")),
                    connection.execute(f"SELECT wr FROM pragma_table_list('{table}')").fetchall(),
                )
                for table in tables
            }
        connection.close()
        return found

    migrated, created = (Database(f"sqlite:///{tmp_path / name}.db") for name in ("migrated", "created"))
    upgrade(migrated)
    create_schema(created)
    migrated.close()
    created.close()
    assert shape(tmp_path / "migrated.db") == shape(tmp_path / "created.db")


def test_migrations_can_be_taken_back(empty_url):
    from alembic import command
    from sqlalchemy import inspect

    database = Database(empty_url)
    upgrade(database)
    config = migration_config()
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.close()


def test_migrations_import_nothing_of_the_planner():
    texts = [path.read_text() for path in migrations_folder().rglob("*.py")]
    assert not any("planner" in line for text_ in texts for line in text_.splitlines() if "import" in line.split())


def test_migrations_are_found_inside_an_installed_package_first(tmp_path, monkeypatch):
    package = tmp_path / "planner"
    shutil.copytree(migrations_folder(), package / "_migrations")
    monkeypatch.setattr("planner.store.migrate._PACKAGE", package)
    assert migrations_folder() == package / "_migrations"


def test_a_new_sqlite_file_is_made_at_the_newest_version(sqlite_url):
    with Store.open(sqlite_url) as store:
        assert schema_status(store.database).version == HEAD
        with store.database.reading() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA page_size")).scalar() == PAGE_BYTES
            assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_file_whose_maker_was_killed_is_made_anew(sqlite_url, tmp_path):
    (tmp_path / "planner.db").touch()
    with Store.open(sqlite_url) as store:
        assert store.count().n_runs == 0


def test_a_file_of_another_program_gets_no_tables_unasked(sqlite_url, tmp_path):
    connection = sqlite3.connect(tmp_path / "planner.db")
    connection.execute("CREATE TABLE notes (words TEXT)")
    connection.close()
    with pytest.raises(SchemaOutdated, match="planner db init"):
        Store.open(sqlite_url)


def test_a_store_that_is_not_there_is_not_made_unasked(sqlite_url, tmp_path):
    with pytest.raises(StoreError, match="planner db init"):
        Store.open(sqlite_url, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_schema_that_is_behind_names_the_command(store, store_url):
    with store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaOutdated, match="planner db upgrade"):
        Store.open(store_url)


def test_a_schema_that_is_ahead_asks_for_a_newer_planner(store, store_url):
    with store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="pip install --upgrade"):
        Store.open(store_url)


def test_a_server_without_tables_names_the_command(postgres_server):
    with pytest.raises(SchemaOutdated, match="planner db init"):
        Store.open(f"{postgres_server.url}/postgres")


@pytest.mark.parametrize(
    ("url", "error", "advice"),
    [
        ("sqlite:////no/such/folder/planner.db", StoreError, "folder exists"),
        ("postgresql://planner:secret@127.0.0.1:1/none", StoreError, "server runs"),
        ("sqlite://", InvalidInput, "sqlite:///planner.db"),
        ("mysql://host/name", InvalidInput, "no known database"),
        ("not a url", InvalidInput, "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_reached_is_an_error_with_advice(url, error, advice):
    with pytest.raises(error, match=advice) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)


def test_a_file_of_another_kind_is_no_store(tmp_path):
    path = tmp_path / "planner.db"
    path.write_text("this is a text and no database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store.open(f"sqlite:///{path}")


def test_a_store_that_may_not_be_written_says_so(sqlite_url):
    with Store.open(sqlite_url) as store:
        store.database.close()
        event.listen(store.database.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreError, match="may not be written"):
            store.append([sampled("a")])


def test_opening_a_store_imports_neither_alembic_nor_pyarrow(sqlite_url):
    script = (
        "import sys; from planner.store import Store; "
        f"Store.open({sqlite_url!r}).close(); "
        "print([name for name in ('alembic', 'pyarrow', 'sqlalchemy.orm') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_table_and_column_says_what_it_holds():
    described = schema_markdown()
    for table in metadata.sorted_tables:
        assert table.comment in described
        assert all(column.comment and f"`{column.name}`" in described for column in table.columns)


def test_the_example_query_of_the_description_runs(sqlite_url, tmp_path):
    with Store.open(sqlite_url) as store:
        store.append([sampled("a", dataset="sums")])
    query = schema_markdown().split("```sql")[1].split("```")[0]
    connection = sqlite3.connect(tmp_path / "planner.db")
    assert connection.execute(query).fetchall() == [("sums", "small", 3, pytest.approx(2 / 3), 11.0)]
    connection.close()
