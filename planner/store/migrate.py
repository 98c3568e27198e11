"""Alembic, with its settings built in code: migrations come from the wheel or from the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from planner.errors import StoreError
from planner.store.engine import Database
from planner.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_PACKAGE = Path(__file__).resolve().parents[1]


def migrations_folder() -> Path:
    """Folder of the migrations: inside the installed package, else at the top of the checkout."""
    for folder in (_PACKAGE / "_migrations", _PACKAGE.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreError("the migrations are missing from this installation: run `pip install --force-reinstall planner`")


def migration_config() -> Config:
    """Alembic's settings without an ini file."""
    from alembic.config import Config  # noqa: PLC0415 - its import is slow, and only upgrades need it

    config = Config()
    # a percent sign in a path would be read as interpolation
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["target_metadata"] = metadata
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision` in one transaction."""
    from alembic import command  # noqa: PLC0415

    config = migration_config()
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
