"""What every part of the facade stands on: settings, the store, artifacts and the policy that is served."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from planner import store as stores  # its classes load when first used: serving from SQLite needs one of them
from planner.artifacts import ArtifactFolder, load_policy
from planner.config import Settings
from planner.errors import NoActivePolicy, StoreError
from planner.policy import Policy

if TYPE_CHECKING:
    from planner.store import PolicyRow, QuickStore, Store
    from planner.store.quick import ServedPolicy

LOOK_AGAIN_SECONDS = 1.0
"""How soon a policy that another process promoted is noticed."""


class Home:
    """One store with its folder of artifacts, and the promoted policy. Safe to share between threads."""

    def __init__(self, settings: Settings, *, create: bool = True) -> None:
        """Prefer `Planner.open`."""
        self.settings = settings
        self._quick = stores.QuickStore.open(settings.database_url)
        self._store: Store | None = None if self._quick else stores.Store.open(settings.database_url, create=create)
        self._lock = threading.RLock()
        self._policy: Policy | None = None
        self._looked_at = float("-inf")
        self._found_none: tuple[float, str] = (float("-inf"), "")  # when, and in words
        self._policy_lock = threading.RLock()
        self._is_watched = False
        self._process: int | None = os.getpid()  # None once it is closed

    @classmethod
    def open(
        cls,
        database_url: str | None = None,
        *,
        artifact_dir: str | Path | None = None,
        settings: Settings | None = None,
        create: bool = True,
    ) -> Self:
        """The planner of a store and its folder of artifacts; what is not given comes from the settings.

        Raises SchemaOutdated where the store's schema is behind (and, without `create`, where it has none).
        """
        return cls(settings or Settings.load(database_url=database_url, artifact_dir=artifact_dir), create=create)

    def close(self) -> None:
        """Write what is still to be written, and let go of the store; it may be called twice.

        In a process that was forked since nothing is done: what waits is written by the one that opened the store.
        """
        if self._process not in (None, os.getpid()):
            return
        self._process = None
        for opened in (self._quick, self._store):
            if opened is not None:
                opened.close()

    def flush(self) -> None:
        """Wait until every recommendation that was served is stored."""
        self._serving.flush()

    @property
    def store(self) -> Store:
        """The store, with all that it can do. Raises StoreError once the planner is closed, and after a fork."""
        self._check_usable()
        with self._lock:
            self._store = self._store or stores.Store.open(self.settings.database_url, create=False)
            return self._store

    @property
    def artifacts(self) -> ArtifactFolder:
        """The configured folder of artifacts, else one beside the SQLite file, else one in the user's data folder."""
        if self.settings.artifact_dir is not None:
            return ArtifactFolder(self.settings.artifact_dir)
        path = self._quick.path if self._quick is not None else self.store.database.path
        if path is not None:
            return ArtifactFolder(path.parent / "planner-artifacts")
        from platformdirs import user_data_path  # noqa: PLC0415 - only with a database server

        return ArtifactFolder(user_data_path("planner") / "artifacts")

    @property
    def _serving(self) -> Store | QuickStore:
        self._check_usable()
        return self._quick or self.store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def policy(self) -> Policy:
        """The promoted policy; a newly promoted one is noticed within a second. Raises NoActivePolicy."""
        if self._policy is not None and (self._is_watched or time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS):
            return self._policy
        found_at, words = self._found_none
        if self._is_watched and time.monotonic() - found_at < LOOK_AGAIN_SECONDS:
            raise NoActivePolicy(words)
        return self.look_again()

    def watched(self) -> None:
        """From now on the caller looks again every second: who plans waits neither for the store nor for a file."""
        self._is_watched = True

    def look_again(self) -> Policy:
        """The promoted policy, as the store has it now. Raises NoActivePolicy."""
        self._check_usable()
        with self._policy_lock:
            row = self._active()
            if self._policy is None or self._policy.policy_id != row.policy_id:
                self._policy = self._load(row)
            self._looked_at = time.monotonic()
            return self._policy

    def _check_usable(self) -> None:
        """Raise StoreError where what is recorded would never be written, and who waits for it would wait for ever."""
        if self._process == os.getpid():
            return
        found = "is closed" if self._process is None else "was opened by another process, before a fork"
        raise StoreError(f"this planner {found}: open another here with Planner.open")

    def _active(self) -> PolicyRow | ServedPolicy:
        row = self._serving.active_policy()
        if row is None:
            words = f"no policy is promoted yet: {self._next_step()}"
            self._found_none = (time.monotonic(), words)
            raise NoActivePolicy(words)
        return row

    def _load(self, row: PolicyRow | ServedPolicy) -> Policy:
        return load_policy(self.artifacts.holding(row.policy_id, row.artifact_path), row.policy_id)

    def _next_step(self) -> str:
        if self.store.has_runs():
            return "run `planner fit`, which learns one from the runs that are logged"
        return "import logs with `planner logs import FILE`, then run `planner fit`; `planner demo` shows the way"

    def _forget(self) -> None:
        with self._policy_lock:
            self._looked_at = float("-inf")
        if self._is_watched:
            with contextlib.suppress(NoActivePolicy):
                self.look_again()
