"""Reading logs: one file a format, and the import that brings them into a store."""

from planner.formats.answers import EXTRACTORS, GRADERS, extractor, grader
from planner.formats.files import FORMATS
from planner.formats.importing import ImportReport, import_logs
from planner.formats.problems import Problems
from planner.formats.reading import read_runs

__all__ = [
    "EXTRACTORS",
    "FORMATS",
    "GRADERS",
    "ImportReport",
    "Problems",
    "extractor",
    "grader",
    "import_logs",
    "read_runs",
]
