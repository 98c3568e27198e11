"""The command as a whole: cheap to start, one place for errors, data and talk kept apart."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.config import Settings
from planner.errors import ArtifactCorrupt, InvalidInput, NoActivePolicy, PlannerError, StoreError

SHOWN = "import sys; print(' '.join(sorted(m for m in {heavy!r} if m in sys.modules)), file=sys.stderr)"
HEAVY = (
    "numpy", "sqlalchemy", "lightgbm", "sklearn", "alembic", "pyarrow", "fastapi", "scipy", "rich", "pydantic",
    "planner.core.calls", "planner.core.run", "planner.policy.adaptive",
)  # fmt: skip


def heavy_modules_after(arguments: list[str], folder) -> set[str]:
    code = (
        "import sys\nfrom planner.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('loaded:', *(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.rpartition("loaded:")[2].split())


def test_help_loads_nothing_heavy(tmp_path):
    assert heavy_modules_after(["--help"], tmp_path) == set()


def test_recommend_loads_neither_learners_nor_migrations_nor_tables(home):
    heavy = heavy_modules_after(["recommend", "Add 3 to 4. How many now?", "--max-generations", "4"], home)
    assert heavy <= {"numpy", "pydantic"}


NOUNS = (
    "demo", "db", "models", "logs", "grade", "fit", "policies", "recommend", "curves", "evaluate", "export",
    "explore",
)  # fmt: skip


def test_help_names_every_noun():
    text = CliRunner().invoke(main, ["--help"]).stdout
    assert all(f"  {noun} " in text for noun in NOUNS)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_has_help(noun):
    result = CliRunner().invoke(main, [noun, "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "words", [["logs", "import"], ["export", "prm-labels"], ["export", "revision-pairs"], ["run"], ["explore"]]
)  # fmt: skip
def test_examples_of_a_command_stand_on_lines_of_their_own(words):
    text = CliRunner().invoke(main, [*words, "--help"]).stdout
    assert "\\b" not in text
    assert f"\n  planner {' '.join(words)} " in text


def test_the_version_is_printed():
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("planner 0.")


def test_an_unknown_noun_is_bad_input():
    result = CliRunner().invoke(main, ["nonsense"])
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("error", [PlannerError, InvalidInput, NoActivePolicy, ArtifactCorrupt, StoreError])
def test_an_error_becomes_one_line_and_its_exit_code(error, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise error("do this next")

    monkeypatch.setattr("planner.cli.recommend.open_planner", fail)
    result = CliRunner().invoke(main, ["recommend", "a prompt", "--max-tokens", "10"])
    assert (result.exit_code, result.stderr, result.stdout) == (error.exit_code, "error: do this next\n", "")


def test_an_interrupt_is_told_in_words(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("planner.cli.recommend.open_planner", interrupt)
    result = CliRunner().invoke(main, ["recommend", "a prompt", "--max-tokens", "10"])
    assert result.exit_code == 130
    assert "interrupted" in result.stderr


def test_a_full_disk_is_told_in_words(monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", "planner.db")

    monkeypatch.setattr("planner.cli.recommend.open_planner", fail)
    result = CliRunner().invoke(main, ["recommend", "a prompt", "--max-tokens", "10"])
    assert result.exit_code == 1
    assert result.stderr == "error: planner.db: No space left on device\n"


def test_without_a_policy_the_next_command_is_named(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert CliRunner().invoke(main, ["--database-url", url, "db", "init"]).exit_code == 0
    result = CliRunner().invoke(main, ["--database-url", url, "recommend", "a prompt", "--max-tokens", "10"])
    assert result.exit_code == 3
    assert "planner logs import" in result.stderr


def test_a_flag_wins_over_the_environment(home, tmp_path):
    result = CliRunner().invoke(
        main, ["policies", "list", "--json"], env={"PLANNER_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}
    )
    assert result.exit_code != 0
    flag = ["--database-url", "sqlite:///planner.db", "policies", "list", "--json"]
    result = CliRunner().invoke(main, flag, env={"PLANNER_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"})
    assert len(json.loads(result.stdout)) == 1


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path):
    file = tmp_path / "planner.toml"
    file.write_text('log_level = "info"', encoding="utf-8-sig")
    assert Settings.load(environ={}, file=file).log_level == "info"
