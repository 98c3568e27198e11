from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the lab's logs that is quick to fit: 90 prompts, 12 samples of each of two generators."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(REPOSITORY / "planner" / "lab" / "logs" / "lab.samples.parquet")
    prompts = pc.unique(table["prompt_id"]).slice(0, 90)
    wanted = pc.and_(
        pc.is_in(table["prompt_id"], prompts),
        pc.and_(pc.is_in(table["generator"], pa_array(["lab-small", "lab-large"])), pc.less(table["chain"], 12)),
    )
    path = tmp_path_factory.mktemp("log") / "small.parquet"
    pq.write_table(table.filter(wanted), path)
    return path


@pytest.fixture(scope="session")
def fitted_home(tmp_path_factory: pytest.TempPathFactory, small_log: Path) -> Path:
    """Folder with planner.db and planner-artifacts after one fit; tests that change it take a copy (`home`)."""
    return fitted(tmp_path_factory.mktemp("home"), small_log)


@pytest.fixture(scope="session")
def hashed_home(tmp_path_factory: pytest.TempPathFactory, small_log: Path) -> Path:
    """The same where no texts of prompts are stored; tests leave it as it is."""
    return fitted(tmp_path_factory.mktemp("hashed"), small_log, store_prompt_text=False)


def fitted(folder: Path, log: Path, **settings: object) -> Path:
    """The folder, after an import and a fit."""
    from planner import Planner
    from planner.config import Settings
    from planner.store.card_files import read_model_cards

    settings = Settings.load(database_url=f"sqlite:///{folder / 'planner.db'}", **settings)
    with Planner.open(settings=settings) as planner:
        planner.store.save_models(read_model_cards(REPOSITORY / "planner" / "lab" / "logs" / "models.json"))
        planner.import_logs(log)
        planner.fit(seed=0)
    return folder


@pytest.fixture
def home(fitted_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test: a copy of the fitted one."""
    folder = tmp_path / "home"
    shutil.copytree(fitted_home, folder)
    monkeypatch.chdir(folder)
    for name in ("PLANNER_DATABASE_URL", "PLANNER_ARTIFACT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


def pa_array(values: list[str]) -> object:
    import pyarrow as pa

    return pa.array(values)
