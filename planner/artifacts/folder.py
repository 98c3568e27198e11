"""The folder of artifacts: written under a temporary name, then renamed; read only after every hash has held."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from planner.artifacts.arrays import to_json
from planner.artifacts.manifest import FORMAT_VERSION, Manifest
from planner.errors import ArtifactCorrupt, ArtifactError, ArtifactIncompatible

MANIFEST = "manifest.json"
_TEMPORARY = ".tmp-"
_DAY_SECONDS = 86_400
_ID_LENGTH = 16


@dataclass(frozen=True)
class ArtifactFolder:
    """Folder of content-addressed artifacts: `<root>/<policy_id>/manifest.json` and the files that it names."""

    root: Path

    def path(self, policy_id: str) -> Path:
        """Where the artifact of that id is, or would be."""
        return self.root / policy_id

    def holding(self, policy_id: str, written_to: str) -> ArtifactFolder:
        """This folder if the policy is in it, else the one that it was written to."""
        return self if self.path(policy_id).is_dir() else ArtifactFolder(Path(written_to).parent)

    def write(self, manifest: Manifest, files: Mapping[str, bytes]) -> str:
        """Keep the files with their manifest, and return the policy_id: the hash of all of it.

        The same content is one artifact, however often it is written. What a killed process left is removed.
        Raises ArtifactError where the folder cannot be written.
        """
        manifest = manifest.model_copy(update={"files": {name: _sha256(data) for name, data in files.items()}})
        content = _canonical(manifest)
        policy_id = _sha256(content)[:_ID_LENGTH]
        with _in_words(self.root, "written"):
            self.root.mkdir(parents=True, exist_ok=True)
            self._clean()
            if not self._is_whole(policy_id):
                self._place(policy_id, {**files, MANIFEST: content})
        return policy_id

    def manifest(self, policy_id: str) -> Manifest:
        """The manifest, its own hash checked.

        Raises ArtifactCorrupt where it is missing or altered, ArtifactIncompatible where another version wrote it.
        """
        data = self._read(policy_id, MANIFEST)
        try:
            raw = json.loads(data)
            version = raw["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise _corrupt(self.path(policy_id) / MANIFEST, "is no manifest of the planner") from error
        if version != FORMAT_VERSION:
            raise ArtifactIncompatible(
                f"{self.path(policy_id)} was written in format {version}, this planner reads {FORMAT_VERSION}: "
                "run `planner fit` to make a new policy"
            )
        if _sha256(data)[:_ID_LENGTH] != policy_id:
            raise _corrupt(self.path(policy_id) / MANIFEST, "differs from its hash")
        try:
            return Manifest.model_validate_json(data)
        except ValidationError as error:
            raise _corrupt(self.path(policy_id) / MANIFEST, "is no manifest of the planner") from error

    def read(
        self, policy_id: str, names: Sequence[str] | None = None, *, optional: Sequence[str] = ()
    ) -> tuple[Manifest, dict[str, bytes]]:
        """Manifest and files (default: all), each checked against its hash before anything else reads it.

        `optional` files are read beside `names` where the manifest has them.
        A damaged LightGBM text would abort the process instead of raising.
        """
        manifest = self.manifest(policy_id)
        missing = set(names or ()) - manifest.files.keys()
        if missing:
            raise _corrupt(self.path(policy_id) / MANIFEST, f"does not name {min(missing)}")
        wanted = names and [*names, *(name for name in optional if name in manifest.files)]
        files = {name: self._read(policy_id, name) for name in wanted or manifest.files}
        for name, data in files.items():
            if _sha256(data) != manifest.files[name]:
                raise _corrupt(self.path(policy_id) / name, "differs from the hash in its manifest")
        return manifest, files

    def _read(self, policy_id: str, name: str) -> bytes:
        path = self.path(policy_id) / name
        if Path(name).name != name:
            raise _corrupt(self.path(policy_id) / MANIFEST, f"names the file {name!r} outside its folder")
        try:
            with _in_words(path, "read"):
                return path.read_bytes()
        except ArtifactError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise _corrupt(path, "is missing") from error
            raise

    def _is_whole(self, policy_id: str) -> bool:
        try:
            self.read(policy_id)
        except ArtifactError:
            return False
        return True

    def _place(self, policy_id: str, files: Mapping[str, bytes]) -> None:
        temporary = self.root / f"{_TEMPORARY}{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        temporary.mkdir()
        try:
            for name, data in files.items():
                _write_durably(temporary / name, data)
            _sync_folder(temporary)
            # Only a damaged artifact can stand here: a whole one is never written again.
            shutil.rmtree(self.path(policy_id), ignore_errors=True)
            temporary.rename(self.path(policy_id))
            _sync_folder(self.root)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    def _clean(self) -> None:
        for left in self.root.glob(f"{_TEMPORARY}*"):
            if _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def _canonical(manifest: Manifest) -> bytes:
    return to_json(to_jsonable_python(manifest, inf_nan_mode="null")) + b"\n"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name != "posix":  # other systems cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_abandoned(path: Path) -> bool:
    """Whether the process that wrote under a temporary name is gone; one on another machine gets a day."""
    host, _, pid = path.name.removeprefix(_TEMPORARY).rpartition("-")[0].rpartition("-")
    if host == socket.gethostname() and pid.isdecimal():
        return not _is_alive(int(pid))
    try:
        return time.time() - path.stat().st_mtime > _DAY_SECONDS
    except OSError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _corrupt(path: Path, what: str) -> ArtifactCorrupt:
    found = f"{path} {what}"
    return ArtifactCorrupt(
        f"{found}: restore it from a copy, go back with `planner policies rollback`, or run `planner fit`", found=found
    )


@contextmanager
def _in_words(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"{error.filename or path} cannot be {verb} ({error.strerror or error}): "
            "free some space, check its permissions, or name another folder with --artifact-dir"
        ) from error
