"""The facade whole: logs in, policies fitted, plans out, and carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.api.exploring import Exploring
from planner.artifacts import FitSettings, Manifest
from planner.core.arguments import check_text, check_whole, names
from planner.errors import ArtifactCorrupt, InvalidInput

if TYPE_CHECKING:
    from planner.artifacts.refit import FitResult
    from planner.curves.table import OutcomeTable
    from planner.formats import ImportReport
    from planner.policy.evaluate import Evaluation
    from planner.store import PolicyRow
    from planner.store.quick import ServedPolicy

Progress = Callable[[float, float | None, str | None], None]


class Planner(Exploring):
    """Plans where a prompt's budget is best spent, from the logs of one store. Safe to share between threads.

    >>> with Planner.open("sqlite:///planner.db") as planner:                       # doctest: +SKIP
    ...     planner.import_logs("runs.jsonl")
    ...     planner.fit(seed=0)
    ...     plan = planner.recommend("How many primes are below 1000?", Budget(max_tokens=8000))
    ...     planner.run(plan, endpoint="http://localhost:8000/v1").answer
    """

    def import_logs(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        format: str = "auto",  # noqa: A002 - the word of the command line
        skip_bad: bool = False,
        extract: str | None = None,
        grade: str | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import log files, all of them or nothing; see `planner.formats.import_logs`.

        Raises BadLog, naming the bad lines.
        """
        from planner.formats import import_logs  # noqa: PLC0415 - pyarrow is no part of serving

        return import_logs(
            self.store,
            paths,
            format=format,
            skip_bad=skip_bad,
            extract=extract,
            grade=grade,
            store_prompt_text=self.settings.store_prompt_text,
            progress=progress,
        )

    def grade(self, run_id: str, *, correct: float, grader: str = "api") -> None:
        """Say of a logged run how far its answer is correct, 0..1. Raises InvalidInput for an unknown run."""
        self.store.grade(run_id, correct=correct, grader=grader)

    def fit(
        self,
        *,
        seed: int = 0,
        since: datetime | None = None,
        datasets: Sequence[str] | None = None,
        exclude_datasets: Sequence[str] = (),
        exclude_generators: Sequence[str] = (),
        reference: str | None = None,
        metadata_features: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> FitResult:
        """Fit a policy from the logs, with a held-out report; it is promoted if it is not worse than the one before.

        A fit that fails, or is killed, leaves store and artifacts as they were.
        Raises NotEnoughData where too little is logged or graded, InvalidInput for names and metadata that are
        not logged.
        """
        from planner.artifacts.refit import refit  # noqa: PLC0415 - lightgbm and its kin are no part of serving

        check_whole("seed", seed)
        check_text("reference", reference)
        if since is not None and not isinstance(since, date):
            raise InvalidInput(f"since: expected a datetime, got {since!r:.200}")
        settings = FitSettings(
            seed=seed,
            since=None if since is None else since.isoformat(),
            datasets=names("datasets", datasets or ()),
            exclude_datasets=names("exclude_datasets", exclude_datasets),
            exclude_generators=names("exclude_generators", exclude_generators),
            reference=reference,
            metadata_features=names("metadata_features", metadata_features),
        )
        result = refit(self.store, self.artifacts, settings, progress=progress)
        self._forget()
        return result

    def policies(self) -> list[PolicyRow]:
        """Every fitted policy, the newest first."""
        return self.store.list_policies()

    def manifest(self, policy_id: str | None = None) -> Manifest:
        """What a policy (default: the promoted one) is made of and from, with its held-out report."""
        row = self._known(policy_id)
        return self.artifacts.holding(row.policy_id, row.artifact_path).manifest(row.policy_id)

    def verify(self, policy_id: str | None = None) -> Manifest:
        """Check every file of a policy against its hash. Raises ArtifactCorrupt or ArtifactIncompatible."""
        return self._verified(self._known(policy_id))

    def promote(self, policy_id: str, *, reason: str = "promoted by hand") -> PolicyRow:
        """Serve this policy from now on, after checking its files."""
        self._checked(self._known(policy_id))
        row = self.store.promote_policy(policy_id, reason=reason)
        self._forget()
        return row

    def rollback(self) -> PolicyRow:
        """Serve the policy that was promoted before the present one, after checking its files."""
        row = self.store.rollback_policy(check=self._checked)
        self._forget()
        return row

    def curves(self, *, cascades: bool = False, seed: int = 0) -> OutcomeTable:
        """Expected outcome and use of every arm on every logged prompt, exactly, from the logs."""
        from planner.curves.tabulation import tabulate  # noqa: PLC0415 - replay is no part of serving

        return tabulate(self.store.read_logs(), seed=seed, cascades=cascades)

    def evaluate(self, **options: Any) -> Evaluation:  # noqa: ANN401 - of `policy.evaluate.evaluate`
        """Measure a policy on folds by prompt against its baselines; see `planner.policy.evaluate.evaluate`."""
        from planner.policy.evaluate import evaluate  # noqa: PLC0415 - lightgbm is no part of serving
        from planner.policy.one_thread import one_thread  # noqa: PLC0415

        with one_thread():  # as in a fit: the same figures on every machine
            return evaluate(self.store.read_logs(), **options)

    def _verified(self, row: PolicyRow | ServedPolicy) -> Manifest:
        manifest, _ = self.artifacts.holding(row.policy_id, row.artifact_path).read(row.policy_id)
        return manifest

    def _checked(self, row: PolicyRow | ServedPolicy) -> None:
        """Raise ArtifactError where a policy cannot be promoted; what is served stays then, and needs no way back."""
        try:
            self._verified(row)
        except ArtifactCorrupt as error:
            raise ArtifactCorrupt(
                f"{error.found}: {row.policy_id} cannot be promoted, and what is served stays; restore the file from a "
                "copy, or promote another (`planner policies list`, `planner policies promote ID`)",
            ) from error

    def _known(self, policy_id: str | None) -> PolicyRow | ServedPolicy:
        if policy_id is None:
            return self._active()
        for row in self.store.list_policies():
            if row.policy_id == policy_id:
                return row
        raise InvalidInput(f"there is no policy {policy_id!r}: `planner policies list` names them")
