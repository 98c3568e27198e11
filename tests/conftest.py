from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def public_data() -> Path:
    """Folder of real public logs beside the checkout; they are other people's data and not part of the project."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public logs (shared/data beside the checkout) are not here")
    return folder
