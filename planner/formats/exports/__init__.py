"""Writers of what others train on: labels of steps for a verifier, chains from wrong to right for a reviser."""

from planner.formats.exports.prm_labels import Labels, PrmExport
from planner.formats.exports.revision_pairs import RevisionExport

__all__ = ["Labels", "PrmExport", "RevisionExport"]
