"""The manifest: what a fitted policy is made of and from; it names the hash of every file beside it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from planner.core.base import Frozen

FORMAT_VERSION = 1
"""Raised whenever an older planner could misread what is written."""


class FitSettings(Frozen):
    """What a fit was asked for."""

    seed: int = 0
    since: str | None = None
    datasets: tuple[str, ...] = ()
    exclude_datasets: tuple[str, ...] = ()
    exclude_generators: tuple[str, ...] = ()
    reference: str | None = None
    metadata_features: tuple[str, ...] = ()


class Manifest(Frozen):
    """Content of `manifest.json`. It holds no time and no path: the same data and seed give the same bytes."""

    kind: Literal["planner-policy"] = "planner-policy"
    format_version: int
    versions: dict[str, str]
    settings: FitSettings
    data_fingerprint: str
    n_prompts: int
    n_samples: int
    n_runs: int
    reference_generator: str
    n_features: int
    arms: tuple[str, ...]
    report: dict[str, Any] | None
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 (hex) of each file beside the manifest.")
