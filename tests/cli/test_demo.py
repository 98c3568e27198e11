"""What the demo says last, done as it is printed."""

from __future__ import annotations

import subprocess
import sys

import pyarrow.parquet as pq

from planner.cli.demo import NEXT

SHELL = f"set -e\nplanner() {{ '{sys.executable}' -m planner \"$@\"; }}\n"


def test_logs_of_ones_own_are_used_when_one_goes_on_as_the_demo_says(home, small_log):
    table = pq.read_table(small_log)
    pq.write_table(table.slice(0, len(table) // 2), home / "own.parquet")
    commands = [line for line in NEXT.splitlines() if line.startswith("  ") and "--endpoint" not in line]
    script = "\n".join(commands).replace("FILE", "own.parquet").replace("PROMPT", "'Add 3 to 4. How many now?'")
    done = subprocess.run(
        ["sh", "-c", SHELL + script], check=False, cwd=home, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "promoted: it is the first policy" in done.stdout
    before, after = (part.splitlines() for part in done.stdout.split("promoted: it is the first policy"))
    policies = [next(line for line in lines if line.startswith("policy ")) for lines in (before, after)]
    assert policies[0] != policies[1]
