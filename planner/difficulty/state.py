"""A fitted predictor as plain data and back: dicts, lists, numbers and arrays, and LightGBM's own text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from planner.curves.logs import Floats
from planner.difficulty.discriminant import Discriminant
from planner.difficulty.domain import Domain
from planner.difficulty.features import QuickFeatures
from planner.difficulty.latent import Doubles, Latent
from planner.difficulty.named_columns import NamedColumns
from planner.difficulty.posterior import BinPosterior
from planner.difficulty.probe_model import ProbeModel
from planner.difficulty.regress import Blend, Ridge
from planner.difficulty.sharpen import LearnedProbes, ProbeUpdate, Update
from planner.difficulty.sketch_features import SketchFeatures
from planner.difficulty.text_prior import TextPrior
from planner.difficulty.tokens import TokenTable
from planner.errors import ArtifactIncompatible
from planner.texts import sketch

State = dict[str, Any]

TEXT_VERSION = 3
SKETCH_VERSION = 4
"""Of a predictor that reads sketches of prompts: planners before it know none."""


def quick_state(quick: QuickFeatures | SketchFeatures) -> State:
    """Token vectors keep the half precision that they were fitted in."""
    if isinstance(quick, SketchFeatures):
        return {
            "sketch_version": sketch.VERSION,
            "vectors": quick.vectors.astype(np.float16).view(np.int8),
            "idf": quick.idf,
            "known": quick.known.astype(np.int8),
            **_named_state(quick.named),
        }
    return {
        "tokens": list(quick.tokens.tokens),
        "vectors": quick.vectors.astype(np.float16).view(np.int8),
        "idf": quick.idf,
        "pairs": quick.pairs,
        **_named_state(quick.named),
    }


def quick_from(state: State) -> QuickFeatures | SketchFeatures:
    """The features that `quick_state` wrote. Raises ArtifactIncompatible for sketches of another version."""
    vectors = _halves(state["vectors"])
    idf = _array(state["idf"], np.float32)
    named = NamedColumns(tuple((name, tuple(values)) for name, values in state["categories"]), tuple(state["numeric"]))
    if "sketch_version" in state:
        if state["sketch_version"] != sketch.VERSION:
            raise ArtifactIncompatible(
                f"the policy reads sketches of prompts in version {state['sketch_version']}, this planner makes "
                f"version {sketch.VERSION}: fit again with `planner fit`"
            )
        return SketchFeatures(vectors, idf, _array(state["known"], np.bool_), named)
    tokens = TokenTable(tuple(state["tokens"]))
    return QuickFeatures(
        tokens=tokens,
        vectors=vectors,
        idf=idf,
        pairs=_array(state["pairs"], np.int64),
        named=named,
        digits=tokens.digits(),
        is_word=tokens.is_word(),
    )


def _named_state(named: NamedColumns) -> State:
    return {
        "categories": [[name, list(values)] for name, values in named.categories],
        "numeric": list(named.numeric),
    }


def _halves(value: object) -> Floats:
    halves = np.ascontiguousarray(_array(value, np.int8))
    width = halves.shape[1] // 2
    return halves.view(np.float16).reshape(len(halves), width).astype(np.float32)


def domain_state(domain: Domain) -> State:
    """Scaling and bounds."""
    return {
        "centre": domain.centre,
        "scale": domain.scale,
        "judged": domain.judged,
        "least_known_share": domain.least_known_share,
        "most_distance": domain.most_distance,
        "most_characters": domain.most_characters,
    }


def domain_from(state: State) -> Domain:
    """The domain that `domain_state` wrote."""
    return Domain(
        centre=_array(state["centre"], np.float32),
        scale=_array(state["scale"], np.float32),
        judged=_array(state["judged"], np.float32),
        least_known_share=state["least_known_share"],
        most_distance=state["most_distance"],
        most_characters=state["most_characters"],
    )


def blend_state(blend: Blend) -> State:
    """All of the regressors but LightGBM's text."""
    return {
        "n_trees": blend.n_trees,
        "ridge": blend.ridge.coefficients,
        "ridge_intercept": blend.ridge.intercept,
        "ridge_share": blend.ridge_share,
    }


def blend_from(state: State, model_text: str) -> Blend:
    """The regressors that `blend_state` wrote, with LightGBM's text beside."""
    ridge = Ridge(_doubles(state["ridge"]), state["ridge_intercept"])
    return Blend(model_text, state["n_trees"], ridge, state["ridge_share"])


def latent_state(latent: Latent) -> State:
    """Columns of outcomes."""
    return {
        "keys": list(latent.keys),
        "intercept": latent.intercept,
        "loading": latent.loading,
        "deviation": latent.deviation,
    }


def latent_from(state: State) -> Latent:
    """The columns that `latent_state` wrote."""
    parts = (_doubles(state[name]) for name in ("intercept", "loading", "deviation"))
    return Latent(tuple(state["keys"]), *parts)


def text_prior_state(prior: TextPrior) -> State:
    """What the text tells of the ease."""
    return {"slope": prior.slope, "deviation": prior.deviation, "centre": prior.centre, "scale": prior.scale}


def posterior_state(posterior: BinPosterior) -> State:
    """The posterior over bins."""
    return {
        "prior": posterior.prior,
        "table": posterior.table,
        "centre": posterior.centre,
        "scale": posterior.scale,
        "bound": posterior.bound,
    }


def posterior_from(state: State) -> BinPosterior:
    """The posterior that `posterior_state` wrote."""
    prior, table = _doubles(state["prior"]), _doubles(state["table"])
    return BinPosterior(prior, table, state["centre"], state["scale"], state["bound"])


def discriminant_state(discriminant: Discriminant) -> State:
    """What the features tell of the bins beside the logit."""
    return {
        "prior": discriminant.prior,
        "logit_share": discriminant.logit_share,
        "weights": discriminant.weights,
        "intercept": discriminant.intercept,
    }


def discriminant_from(state: State) -> Discriminant:
    """The discriminant that `discriminant_state` wrote."""
    prior, weights, intercept = (_doubles(state[name]) for name in ("prior", "weights", "intercept"))
    return Discriminant(prior, state["logit_share"], weights, intercept)


def probes_state(probes: ProbeUpdate) -> State:
    """What probes say of the bins."""
    return {
        "reference": probes.reference,
        "learned": {
            name: {
                "model": vars(own.model),
                "updates": _updates_state(own.updates),
                "unscored": None if own.unscored is None else _updates_state(own.unscored),
                "answered": own.answered,
            }
            for name, own in probes.learned.items()
        },
        "rates": dict(probes.rates),
    }


def probes_from(state: State) -> ProbeUpdate:
    """The update that `probes_state` wrote."""
    learned = {
        name: LearnedProbes(
            ProbeModel(**own["model"]),
            _updates_from(own["updates"]),
            # What policies made before do not say.
            None if own.get("unscored") is None else _updates_from(own["unscored"]),
            own.get("answered", True),
        )
        for name, own in state["learned"].items()
    }
    return ProbeUpdate(state["reference"], learned, {name: _doubles(v) for name, v in state["rates"].items()})


def _updates_state(updates: Mapping[int, Update]) -> State:
    return {str(k): vars(update) for k, update in updates.items()}


def _updates_from(state: State) -> dict[int, Update]:
    return {int(k): Update(of_k["share"], _doubles(of_k["coefficients"])) for k, of_k in state.items()}


def version_of(quick: QuickFeatures | SketchFeatures) -> int:
    """Version of the format in which a predictor of these features is written."""
    return SKETCH_VERSION if isinstance(quick, SketchFeatures) else TEXT_VERSION


def require_readable(state: State) -> None:
    """Raise ArtifactIncompatible where the state was written by another version of the predictor."""
    if state.get("version") not in (TEXT_VERSION, SKETCH_VERSION):
        raise ArtifactIncompatible(
            f"the difficulty predictor was written in version {state.get('version')} of its format, this planner "
            f"reads versions {TEXT_VERSION} and {SKETCH_VERSION}: fit again with `planner fit`"
        )


def _array(value: object, dtype: type[np.generic]) -> Any:  # noqa: ANN401 - the caller names the type
    return np.asarray(value, dtype=dtype)


def _doubles(value: object) -> Doubles:
    return np.asarray(value, dtype=np.float64)
