"""A policy as files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from planner.artifacts.arrays import from_json, to_json
from planner.artifacts.folder import ArtifactFolder
from planner.budget import BudgetModel
from planner.core import ModelCard
from planner.difficulty import Belief, DifficultyPredictor
from planner.policy import Policy
from planner.policy.evidence import Evidence
from planner.policy.noise import PairedNoise

if TYPE_CHECKING:
    from planner.policy.adaptive.model import Adaptive

DIFFICULTY, TEXT_MODEL, BUDGET, POLICY = "difficulty.json", "difficulty.lightgbm.txt", "budget.json", "policy.json"
SESSION = "session.json"


def policy_files(policy: Policy) -> dict[str, bytes]:
    """Content of the files that hold `policy`; equal policies give equal bytes."""
    difficulty, text_model = policy.predictor.to_state()
    learned = {} if policy.sessions is None else {SESSION: to_json(policy.sessions.to_state())}
    return {
        DIFFICULTY: to_json(difficulty),
        TEXT_MODEL: text_model.encode(),
        BUDGET: to_json(policy.budget_model.to_state()),
        POLICY: to_json(
            {
                "sample": _arrays(policy.sample),
                "sample_ids": list(policy.sample_ids),
                "sample_hashes": list(policy.sample_hashes),
                "logged_accuracy": policy.logged_accuracy,
                "noise": _arrays(policy.noise),
                "evidence": asdict(policy.evidence),
                "models": {name: card.model_dump() for name, card in policy.models.items()},
            }
        ),
        **learned,
    }


SERVED = (DIFFICULTY, TEXT_MODEL, BUDGET, POLICY)
"""What has to be read, and checked, before a policy can serve; beside it what sessions decide by, where it is there.
Nothing else is: the ids in prompts.json are read, and checked, by the next fit."""


def load_policy(folder: ArtifactFolder, policy_id: str) -> Policy:
    """The policy of that id. Raises ArtifactCorrupt or ArtifactIncompatible before anything damaged is used."""
    _, files = folder.read(policy_id, SERVED, optional=(SESSION,))
    return policy_from_files(files, policy_id)


def policy_from_files(files: Mapping[str, bytes], policy_id: str) -> Policy:
    """The policy that `policy_files` wrote; the files' hashes must have been checked."""
    state: dict[str, Any] = from_json(files[POLICY])
    return Policy(
        predictor=DifficultyPredictor.from_state(from_json(files[DIFFICULTY]), files[TEXT_MODEL].decode()),
        budget_model=BudgetModel.from_state(from_json(files[BUDGET])),
        sample=Belief(**state["sample"]),
        sample_ids=tuple(state["sample_ids"]),
        sample_hashes=tuple(state.get("sample_hashes", ())),  # an older planner wrote none
        logged_accuracy=state["logged_accuracy"],
        noise=PairedNoise(**state["noise"]),
        evidence=Evidence(**state["evidence"]),
        models={name: ModelCard(**card) for name, card in state["models"].items()},
        policy_id=policy_id,
        adaptive=partial(_adaptive, files[SESSION]) if SESSION in files else None,
    )


def _adaptive(file: bytes) -> Adaptive:
    from planner.policy.adaptive.model import Adaptive  # noqa: PLC0415 - no part of a cold start

    return Adaptive.from_state(from_json(file))


def _arrays(table: Belief | PairedNoise) -> dict[str, Any]:
    return {field.name: getattr(table, field.name) for field in fields(table)}
