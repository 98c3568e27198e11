"""`planner lab train` where torch is not installed; with torch see tests/lab."""

from __future__ import annotations

import importlib.util

import pytest
from click.testing import CliRunner

from planner.cli import main


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
@pytest.mark.parametrize("model", ["small", "large", "prm", "reviser"])
def test_the_missing_extra_is_named(model: str):
    result = CliRunner().invoke(main, ["lab", "train", model, "--out", "x"])
    assert result.exit_code == 2
    assert "pip install 'planner[train]'" in result.stderr
