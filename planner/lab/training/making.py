"""The four models of the lab, each made into a folder of its own: what the commands do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import torch

from planner.errors import InvalidInput
from planner.lab.training.data import Report, draw, solve_rate
from planner.lab.training.grow import grown
from planner.lab.training.language import BACKBONE, LARGE, SMALL, Recipe, train_language
from planner.lab.training.loop import Trained
from planner.lab.training.network import Llama
from planner.lab.training.reviser import MINUTES, revision_rate, train_reviser
from planner.lab.training.verifier import Labels, fit_verifier
from planner.lab.weights import shipped

_JUDGED_PROBLEMS, _JUDGED_SAMPLES = 200, 4


@dataclass(frozen=True)
class How:
    """What all commands take.

    start: folder that is trained on; None takes the one that the package's own weights came from. minutes: None
    takes the recipe's. most_steps: of training, for a trial.
    """

    start: Path | None = None
    minutes: float | None = None
    seed: int = 0
    most_steps: int | None = None


def make_small(out: Path, how: How, report: Report) -> Mapping[str, Any]:
    """A small language model: from fresh weights, or on from those of `how.start`."""
    if how.start is None:
        config = json.loads((shipped("small") / "config.json").read_text("utf-8"))
        model = Llama.fresh(config, how.seed)
    else:
        model = Llama.load(how.start)
    return _language(model, SMALL, out, how, report)


def make_large(out: Path, how: How, report: Report) -> Mapping[str, Any]:
    """A larger one: a small one grown without forgetting, then trained."""
    model = grown(Llama.load(_start(how)), seed=how.seed)
    return _language(model, LARGE, out, how, report)


def make_prm(
    out: Path,
    how: How,
    report: Report,
    *,
    labels: Labels = "outcome",
    n_problems: int = 1000,
    n_samples: int = 8,
    rollouts: int = 4,
) -> Mapping[str, Any]:
    """A process reward model: a small model trained on as backbone, and a head over samples of that small model."""
    start = _start(how)
    model = Llama.load(start)
    trained = train_language(model, _recipe(BACKBONE, how), seed=how.seed, report=report)
    model.save(out)
    drawn = draw(start, n_problems, n_samples, seed=how.seed, report=report)
    fitted = fit_verifier(out, drawn, sampler=start, labels=labels, rollouts=rollouts, seed=how.seed, report=report)
    fitted.head.save(out / "head.safetensors")
    return _written(
        out,
        trained,
        {
            "labels": labels,
            "samples": fitted.n_samples,
            "labelled_steps": fitted.n_steps,
            "auc": fitted.held_out.auc,
            "auc_prompts": fitted.held_out.n_prompts,
        },
    )


def make_reviser(
    out: Path, how: How, report: Report, *, n_problems: int = 4000, n_samples: int = 8
) -> Mapping[str, Any]:
    """A reviser: a small model trained on its own samples to keep right drafts and mend wrong ones."""
    start = _start(how)
    model = Llama.load(start)
    drawn = draw(start, n_problems, n_samples, seed=how.seed, report=report)
    trained = train_reviser(
        model, drawn, minutes=how.minutes or MINUTES, seed=how.seed, report=report, most_steps=how.most_steps
    )
    model.save(out)
    rates = revision_rate(out, _judged(how), seed=how.seed + 1, report=report)
    return _written(out, trained, {"attempt_1": rates[0], "attempt_2": rates[1]})


def _language(model: Llama, recipe: Recipe, out: Path, how: How, report: Report) -> Mapping[str, Any]:
    trained = train_language(model, _recipe(recipe, how), seed=how.seed, report=report)
    model.save(out)
    rate = solve_rate(out, _judged(how), _JUDGED_SAMPLES, seed=how.seed + 1, report=report)
    return _written(out, trained, {"pass_at_1": rate})


def _recipe(recipe: Recipe, how: How) -> Recipe:
    plan = replace(recipe.plan, minutes=how.minutes or recipe.plan.minutes, most_steps=how.most_steps)
    return replace(recipe, plan=plan)


def _judged(how: How) -> int:
    """Fresh problems that what was made is judged on; few in a trial."""
    return _JUDGED_PROBLEMS if how.most_steps is None else 4


def _start(how: How) -> Path:
    folder = how.start or _path(shipped("small"))
    if not (folder / "model.safetensors").is_file():
        raise InvalidInput(f"{folder} holds no model.safetensors: name a folder that `planner lab train` made")
    return folder


def _path(folder: Traversable) -> Path:
    assert isinstance(folder, Path), "weights are read from files, so the package is not zipped"
    return folder


def _written(out: Path, trained: Trained, measured: Mapping[str, Any]) -> Mapping[str, Any]:
    found = {**asdict(trained), **measured, "torch": torch.__version__}
    (out / "train.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return found
