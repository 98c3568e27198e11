"""A fitted policy on disk: a folder named by the hash of its content, of JSON and LightGBM text."""

from planner.artifacts.folder import ArtifactFolder
from planner.artifacts.manifest import FORMAT_VERSION, FitSettings, Manifest
from planner.artifacts.policy_files import load_policy

__all__ = ["FORMAT_VERSION", "ArtifactFolder", "FitSettings", "Manifest", "load_policy"]
