"""`--output` and `--rejected`: what they may replace, and what they never do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.formats import import_logs
from planner.store import Store

RUN = {"run_id": "r1", "prompt": "2 + 2?", "dataset": "sums", "generator": "small", "answer": "4"}
BAD = RUN | {"run_id": "r2", "correct": 3}
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")


def planner(*arguments: str, code: int = 0):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a log of a good and a bad line."""
    monkeypatch.chdir(tmp_path)
    for name in ("PLANNER_DATABASE_URL", "PLANNER_ARTIFACT_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mine.jsonl").write_text(f"{json.dumps(RUN)}\n{json.dumps(BAD)}\n")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir() if "db" not in path.name)


@pytest.mark.parametrize("name", ["mine.jsonl", "link.jsonl", "planner.db"])
def test_rejected_lines_never_replace_the_log_or_the_store(folder, name):
    (folder / "link.jsonl").symlink_to("mine.jsonl")
    planner("db", "init")
    before = (folder / "mine.jsonl").read_bytes(), (folder / "planner.db").read_bytes()[:16]
    result = planner("logs", "import", "mine.jsonl", "--skip-bad", "--rejected", name, code=2)
    assert f"{name} is read here too" in result.stderr
    assert ((folder / "mine.jsonl").read_bytes(), (folder / "planner.db").read_bytes()[:16]) == before
    assert json.loads(planner("logs", "stats", "--json").stdout) == []


def test_unasked_only_a_file_of_rejected_lines_is_replaced(folder):
    import_it = ("logs", "import", "mine.jsonl", "--skip-bad")
    assert "mine.jsonl.rejected.jsonl" in planner(*import_it).stdout
    planner(*import_it)
    assert names(folder) == ["mine.jsonl", "mine.jsonl.rejected.jsonl"]
    (folder / "mine.jsonl.rejected.jsonl").write_text("my notes\n")
    assert "mine.jsonl.rejected-2.jsonl" in planner(*import_it).stdout
    assert (folder / "mine.jsonl.rejected.jsonl").read_text() == "my notes\n"
    assert "correct: is 3" in (folder / "mine.jsonl.rejected-2.jsonl").read_text()


@needs_full
def test_an_import_whose_rejected_lines_cannot_be_kept_says_so(folder):
    result = planner("logs", "import", "mine.jsonl", "--skip-bad", "--rejected", "/dev/full", code=1)
    assert "/dev/full: No space left on device" in result.stderr
    assert Path("/dev/full").is_char_device()
    assert json.loads(planner("logs", "stats", "--json").stdout) == []
    planner("logs", "import", "mine.jsonl", "--skip-bad", "--rejected", os.devnull)
    assert Path(os.devnull).is_char_device()


@needs_full
@pytest.mark.parametrize("log", ["mine.jsonl", "mine.csv"])
def test_a_full_disk_is_told_of_the_file_of_rejected_lines_not_of_the_log(folder, log):
    """More lines than are held back in memory, so that one is refused while the log is read."""
    lines = [json.dumps(BAD)] * 9000 if log.endswith("l") else ["prompt,generator,answer", *["2 + 2?,small"] * 9000]
    (folder / log).write_text("\n".join(lines))
    result = planner("logs", "import", log, "--skip-bad", "--rejected", "/dev/full", code=1)
    assert "error: /dev/full: No space left on device" in result.stderr


def test_two_imports_at_once_keep_their_rejected_lines_apart(folder):
    import_it = ("logs", "import", "mine.jsonl", "--skip-bad", "--json")
    other, reports = folder / "other" / "mine.jsonl", []
    other.parent.mkdir()
    other.write_text(json.dumps(RUN | {"run_id": "r9", "correct": 9}))

    def meanwhile(*_progress):
        if not reports:
            reports.append(import_logs(Store.open("sqlite:///other.db"), other, skip_bad=True))

    for last in ("mine.jsonl.rejected-2.jsonl", "mine.jsonl.rejected-3.jsonl"):
        mine = import_logs(Store.open(f"sqlite:///{last}.db"), "mine.jsonl", skip_bad=True, progress=meanwhile)
        assert (reports.pop().rejected_path, mine.rejected_path) == ("mine.jsonl.rejected.jsonl", last)
        assert "correct: is 9" in (folder / "mine.jsonl.rejected.jsonl").read_text()
        assert "correct: is 3" in (folder / last).read_text()
    assert [name for name in names(folder) if name.startswith(".")] == []
    assert json.loads(planner(*import_it).stdout)["rejected_path"] == "mine.jsonl.rejected.jsonl"


@pytest.mark.parametrize("url", ["sqlite:///x.db", "sqlite+pysqlite:///x.db", "sqlite:///{folder}/x.db"])
def test_an_export_never_replaces_its_store(folder, url):
    at = ("--database-url", url.format(folder=folder))
    planner(*at, "logs", "import", "mine.jsonl", "--skip-bad")
    assert "x.db is read here too" in planner(*at, "logs", "export", "--output", "x.db", code=2).stderr
    assert len(planner(*at, "logs", "export").stdout.splitlines()) == 1


@needs_full
def test_an_export_to_a_full_device_is_an_error(folder):
    planner("logs", "import", "mine.jsonl", "--skip-bad")
    assert "/dev/full: No space left" in planner("logs", "export", "--output", "/dev/full", code=1).stderr
    planner("logs", "export", "--output", os.devnull)
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("command", [("recommend",), ("run", "--endpoint", "lab")])
@pytest.mark.parametrize("output", ["prompts.jsonl", "probes.jsonl", "planner.db", "planner.toml"])
def test_plans_never_replace_what_they_are_made_from(home, command, output):
    (home / "prompts.jsonl").write_text('{"prompt": "Add 3 to 4. How many now?", "prompt_id": "a"}\n')
    (home / "probes.jsonl").write_text('{"answer": "7", "score": 0.9, "prompt_id": "a"}\n')
    (home / "planner.toml").write_text('log_level = "error"\n')
    before = (home / output).read_bytes()
    asked = ("--input", "prompts.jsonl", "--probes", "probes.jsonl", "--max-generations", "4", "--output", output)
    assert f"{output} is read here too" in planner(*command, *asked, code=2).stderr
    assert (home / output).read_bytes() == before


def test_output_follows_a_link(home):
    (home / "link.json").symlink_to("plan.json")
    planner("recommend", "Add 3 to 4. How many now?", "--max-generations", "4", "--json", "--output", "link.json")
    assert (home / "link.json").is_symlink()
    assert "arm" in json.loads((home / "plan.json").read_text())


def test_a_sweep_into_a_file_that_cannot_be_written_draws_nothing(folder, monkeypatch):
    monkeypatch.setattr("planner.cli.explore._swept", lambda *_: pytest.fail("it was swept"))
    result = planner("lab", "explore", "--problems", "1", "--output", "nowhere/x.jsonl", code=2)
    assert "nowhere/x.jsonl cannot be written" in result.stderr
