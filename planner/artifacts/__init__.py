"""A fitted policy on disk: a folder named by the hash of its content, of JSON and LightGBM text."""

from planner.artifacts.folder import ArtifactFolder
from planner.artifacts.manifest import FORMAT_VERSION, FitSettings, Manifest

__all__ = ["FORMAT_VERSION", "ArtifactFolder", "FitSettings", "Manifest"]
