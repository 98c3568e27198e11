"""Values that a database refuses are bad logs, not a store that is away: who asks again would ask for ever."""

from __future__ import annotations

import pytest

from planner.core import Run
from planner.errors import BadLog
from planner.store import Store


def test_a_text_with_a_nul_is_kept_or_refused_as_a_bad_log(store: Store) -> None:
    run = Run(run_id="x", prompt_id="p", prompt="q", generator="g", search="sampling", answer="a\0b")
    if store.database.url.get_backend_name() == "sqlite":
        store.append([run], source="run")
        return
    with pytest.raises(BadLog, match="cannot be stored"):
        store.append([run], source="run")
