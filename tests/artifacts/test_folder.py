"""The folder of artifacts: whole or not there, named by its content, refused when damaged."""

from __future__ import annotations

import json
import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.artifacts import FORMAT_VERSION, ArtifactFolder, FitSettings, Manifest
from planner.errors import ArtifactCorrupt, ArtifactError, ArtifactIncompatible

FILES = {"a.json": b"[1, 2]", "b.txt": b"text"}


def manifest(**changes) -> Manifest:
    values = {
        "format_version": FORMAT_VERSION,
        "versions": {"planner": "0"},
        "settings": FitSettings(),
        "data_fingerprint": "f",
        "n_prompts": 1,
        "n_samples": 1,
        "n_runs": 0,
        "reference_generator": "small",
        "n_features": 1,
        "arms": ("one",),
        "report": {"gain": float("nan")},
    }
    return Manifest(**values | changes)


@pytest.fixture
def folder(tmp_path) -> ArtifactFolder:
    return ArtifactFolder(tmp_path / "artifacts")


def test_what_is_written_is_read(folder):
    policy_id = folder.write(manifest(), FILES)
    assert folder.read(policy_id)[1] == FILES


def test_the_same_content_is_one_artifact(folder):
    first = folder.write(manifest(), FILES)
    assert folder.write(manifest(), FILES) == first
    assert [p.name for p in folder.root.iterdir()] == [first]


def test_other_content_is_another_artifact(folder):
    assert folder.write(manifest(), FILES) != folder.write(manifest(n_prompts=2), FILES)
    assert folder.write(manifest(), FILES) != folder.write(manifest(), FILES | {"a.json": b"[]"})


def test_the_manifest_is_json_without_nan(folder):
    policy_id = folder.write(manifest(), FILES)
    text = (folder.path(policy_id) / "manifest.json").read_text()
    assert json.loads(text)["report"] == {"gain": None}


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255), name=st.sampled_from([*FILES, "manifest.json"]))
@settings(max_examples=40)
def test_any_flipped_byte_is_noticed(tmp_path_factory, place, flip, name):
    folder = ArtifactFolder(tmp_path_factory.mktemp("a"))
    policy_id = folder.write(manifest(), FILES)
    path = folder.path(policy_id) / name
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= flip
    path.write_bytes(bytes(data))
    with pytest.raises((ArtifactCorrupt, ArtifactIncompatible)):
        folder.read(policy_id)


def test_a_missing_file_is_corrupt_and_the_way_out_is_named(folder):
    policy_id = folder.write(manifest(), FILES)
    (folder.path(policy_id) / "b.txt").unlink()
    with pytest.raises(ArtifactCorrupt, match=r"b\.txt is missing.*planner policies rollback"):
        folder.read(policy_id)


def test_another_format_is_incompatible(folder):
    policy_id = folder.write(manifest(format_version=FORMAT_VERSION + 1), FILES)
    with pytest.raises(ArtifactIncompatible, match="planner fit"):
        folder.read(policy_id)


def test_a_manifest_cannot_point_outside_its_folder(folder):
    policy_id = folder.write(manifest(), FILES)
    with pytest.raises(ArtifactCorrupt):
        folder.read(policy_id, ("../a.json",))


def test_a_damaged_artifact_is_written_again(folder):
    policy_id = folder.write(manifest(), FILES)
    (folder.path(policy_id) / "b.txt").write_bytes(b"")
    folder.write(manifest(), FILES)
    assert folder.read(policy_id)[1] == FILES


def test_a_write_that_fails_leaves_nothing(folder, monkeypatch):
    def fail(path, data):
        path.write_bytes(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("planner.artifacts.folder._write_durably", fail)
    with pytest.raises(ArtifactError, match="free some space"):
        folder.write(manifest(), FILES)
    assert list(folder.root.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_that_of_a_live_one_kept(folder):
    folder.root.mkdir()
    dead = folder.root / f".tmp-{socket.gethostname()}-{2**22 + 1}-abcd"
    alive = folder.root / f".tmp-{socket.gethostname()}-{os.getpid()}-abcd"
    elsewhere = folder.root / ".tmp-otherhost-12-abcd"
    for left in (dead, alive, elsewhere):
        left.mkdir()
    folder.write(manifest(), FILES)
    assert [left.exists() for left in (dead, alive, elsewhere)] == [False, True, True]
