"""From the logs of a store to a policy that is kept, and promoted if it is not worse than the one before."""

from __future__ import annotations

import importlib.metadata
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from planner.artifacts.arrays import to_json
from planner.artifacts.fingerprint import fingerprint
from planner.artifacts.folder import ArtifactFolder
from planner.artifacts.manifest import FORMAT_VERSION, FitSettings, Manifest
from planner.artifacts.policy_files import load_policy, policy_files
from planner.artifacts.turn import Progress, turn
from planner.core import Arm
from planner.curves.cascade import cascade_table, replay_cascades
from planner.curves.concatenation import concatenate_arms
from planner.curves.logs import Logs
from planner.curves.tabulation import tabulate
from planner.errors import ArtifactError, InvalidInput, NotEnoughData
from planner.policy import Policy
from planner.policy.adaptive.contest import fit_adaptive
from planner.policy.compare import not_compared
from planner.policy.evaluate import Evaluation, evaluate, with_cascades
from planner.policy.fit import fit_policy
from planner.policy.folds import check_seed
from planner.policy.one_thread import one_thread
from planner.policy.promotion import challenge
from planner.policy.report import EvaluationReport
from planner.store import Store
from planner.texts.kept import what_cannot_be_read

PROMPTS = "prompts.json"
"""Ids of the prompts that a policy was fitted on; a comparison needs them, planning does not."""
REPORT_PROMPTS = 3_000
"""A report from so many prompts is sharp enough: of larger logs a sample is held out, not all."""
FOLDS = 3
_LIBRARIES = ("planner", "lightgbm", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True)
class FitResult:
    """What a fit made: the policy's id, whether it is promoted and why, and its report on prompts held out.

    `report` is None where too few prompts are logged to hold any out. `warnings` say what could not be learned from.
    """

    policy_id: str
    promoted: bool
    reason: str
    report: EvaluationReport | None
    n_prompts: int
    n_arms: int
    warnings: tuple[str, ...] = ()


def refit(
    store: Store,
    artifacts: ArtifactFolder,
    settings: FitSettings,
    *,
    fit_id: str | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit, keep, compare with the promoted policy, and promote if it is not worse.

    Until the very end nothing is changed that anyone reads: a fit that fails or is killed leaves all as it was.
    fit_id: of a fit that the store knows as running already; else one is noted.
    Raises NotEnoughData where nothing is graded, InvalidInput for a seed that cannot be used, a name to be left out and
    metadata to learn from that are not logged, NotReady where another fit over the folder is running.
    """
    check_seed(settings.seed)
    if fit_id is None:
        fit_id = secrets.token_hex(8)
        store.start_fit(fit_id, settings.model_dump(mode="json"))
    try:
        with turn(artifacts.root, fit_id, progress) as report, one_thread():
            store.end_lost_fits(but=fit_id)
            result = _refit(store, artifacts, settings, report)
            # Within the turn: a fit that runs while nobody holds it counts as lost.
            store.finish_fit(fit_id, policy_id=result.policy_id)
    except BaseException as error:
        store.finish_fit(fit_id, error=f"{type(error).__name__}: {error}")
        raise
    return result


def _refit(store: Store, artifacts: ArtifactFolder, settings: FitSettings, progress: Progress) -> FitResult:
    progress(0, None, "reading the logs")
    # a name misspelt would leave nothing out, and nobody would see it; the empty one means no data set at all
    store.check_names(
        datasets=[name for name in settings.exclude_datasets if name], generators=settings.exclude_generators
    )
    logs = store.read_logs(
        datasets=settings.datasets or None,
        exclude_datasets=settings.exclude_datasets,
        exclude_generators=settings.exclude_generators,
        since=None if settings.since is None else datetime.fromisoformat(settings.since),
    )
    chosen = (settings.datasets, settings.exclude_datasets, settings.exclude_generators, settings.since)
    if not len(logs.prompts) and any(chosen):
        raise NotEnoughData(
            "no run is logged of these data sets, generators and dates: `planner logs stats` shows what there is, "
            "`planner logs import FILE` adds to it"
        )
    store.check_names(datasets=[name for name in settings.datasets if name], generators=())
    _check_metadata(logs, settings.metadata_features)
    warnings = what_cannot_be_read(logs.prompts.texts)
    examined = _examined(logs, settings.seed)
    evaluation = _evaluation(examined, settings, progress)
    progress(0.6, 1, "fitting on all prompts")
    cascades = _screened(examined, evaluation, settings.seed) if evaluation and examined is not logs else None
    policy = _fit(logs, cascades, settings)
    if evaluation is not None:
        progress(0.8, 1, "learning what a session decides by")
        policy = replace(policy, adaptive=fit_adaptive(examined, evaluation, seed=settings.seed))
    progress(0.9, 1, "comparing with the promoted policy")
    promoted, reason = _verdict(store, artifacts, evaluation, examined)
    policy_id = artifacts.write(
        _manifest(policy, logs, settings, evaluation),
        {**policy_files(policy), PROMPTS: to_json(list(logs.prompts.ids))},
    )
    report = evaluation.report if evaluation else None
    present = store.active_policy()
    if present is not None and present.policy_id == policy_id:
        # Its arms were chosen on all prompts, the challenger's on training folds: the comparison is no news here.
        promoted, reason = True, "the promoted policy came out again: the logs, the settings and the seed are the same"
    store.add_policy(
        policy_id,
        artifact_path=str(artifacts.path(policy_id).resolve()),
        summary=_summary(policy, report) | ({"warnings": warnings} if warnings else {}),
        reason=reason,
    )
    if promoted:
        store.promote_policy(policy_id, reason=reason)
    progress(1, 1, "done")
    return FitResult(policy_id, promoted, reason, report, len(logs.prompts), len(policy.arms), warnings)


def _check_metadata(logs: Logs, names: Sequence[str]) -> None:
    """Raise InvalidInput for a member that no prompt has: nothing would be learned from it, and nobody would see it."""
    known = {name for row in logs.prompts.metadata for name in row} if names else set()
    unknown = [name for name in names if name not in known]
    if unknown:
        there = f"there are {', '.join(sorted(known))}" if known else "the prompts have none"
        raise InvalidInput(f"no logged prompt has the metadata {unknown[0]!r}: {there}")


def _examined(logs: Logs, seed: int) -> Logs:
    """The prompts that a report is made of: all, or of many a sample."""
    if len(logs.prompts) <= REPORT_PROMPTS:
        return logs
    return logs.take_prompts(np.random.default_rng([seed, 13]).permutation(len(logs.prompts))[:REPORT_PROMPTS])


def _evaluation(logs: Logs, settings: FitSettings, progress: Progress) -> Evaluation | None:
    """What the policy is worth on prompts held out; None where there are too few to hold any out."""
    n_played = FOLDS if len(logs.prompts) < REPORT_PROMPTS else 1
    done = 0

    def after_fold(text: str) -> None:
        nonlocal done
        done += 1
        progress(0.6 * done / (n_played + 1), 1, f"holding prompts out: {text}")

    progress(0, 1, "holding prompts out: first fold")
    try:
        return evaluate(
            logs,
            folds=FOLDS,
            n_played=n_played,
            seed=settings.seed,
            reference=settings.reference,
            metadata_features=settings.metadata_features,
            progress=after_fold,
        )
    except NotEnoughData:
        return None


def _screened(logs: Logs, evaluation: Evaluation, seed: int) -> list[Arm]:
    """The cascades that the report's training prompts, and the prompts that it had to leave out, make worth while."""
    arms = list(evaluation.folds[0].policy.arms)
    graded = np.flatnonzero(np.isfinite(evaluation.table.outcome).any(axis=1))
    left_out = np.setdiff1d(graded, evaluation.judged)
    if len(left_out):
        arms += cascade_table(logs, seed=seed, rows=left_out).arms
    return list(dict.fromkeys(arms))


def _fit(logs: Logs, cascades: list[Arm] | None, settings: FitSettings) -> Policy:
    """The policy of all prompts; of many, with the `cascades` that were found worth while on some of them."""
    table = tabulate(logs, seed=settings.seed, cascades=False)
    graded = np.flatnonzero(np.isfinite(table.outcome).any(axis=1))
    if cascades is not None:
        chosen = [arm for arm in cascades if arm not in set(table.arms)]
        table = concatenate_arms([table, replay_cascades(logs, chosen, seed=settings.seed)]) if chosen else table
    elif len(graded):
        table = with_cascades(logs, table, graded, settings.seed)
    return fit_policy(
        table.take_prompts(graded),
        logs=logs,
        seed=settings.seed,
        reference=settings.reference,
        metadata_features=settings.metadata_features,
    )


def _verdict(store: Store, artifacts: ArtifactFolder, evaluation: Evaluation | None, logs: Logs) -> tuple[bool, str]:
    row = store.active_policy()
    if row is None:
        return True, "promoted: it is the first policy"
    folder = artifacts.holding(row.policy_id, row.artifact_path)
    try:
        champion = load_policy(folder, row.policy_id)
        _, files = folder.read(row.policy_id, (PROMPTS,))
    except ArtifactError as error:
        return True, f"promoted: the policy before cannot be used any more ({error})"
    if evaluation is None:
        return False, not_compared("too few prompts are graded to hold any out and compare").reason
    verdict = challenge(evaluation, champion, set(json.loads(files[PROMPTS])), logs)
    return verdict.promoted, verdict.reason


def _manifest(policy: Policy, logs: Logs, settings: FitSettings, evaluation: Evaluation | None) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        settings=settings,
        data_fingerprint=fingerprint(logs),
        n_prompts=len(logs.prompts),
        n_samples=len(logs.samples),
        n_runs=len(logs.runs),
        reference_generator=policy.predictor.reference_,
        n_features=policy.sample.features.shape[1],
        arms=tuple(arm.label for arm in policy.arms),
        report=evaluation.report.model_dump(mode="json") if evaluation else None,
    )


def _summary(policy: Policy, report: EvaluationReport | None) -> dict[str, object]:
    """The few figures that a list of policies shows."""
    summary: dict[str, object] = {"reference": policy.predictor.reference_, "n_arms": len(policy.arms)}
    if report is not None:
        summary |= {"n_prompts": report.n_prompts, "unit": report.unit, "mean_gain_points": report.mean_gain()}
    return summary
