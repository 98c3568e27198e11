"""The import: files are read, checked, graded, scaled and written in one transaction, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from planner.core.batch import ImportSink, ScoreScale, Written
from planner.errors import InvalidInput
from planner.formats.admission import Admission
from planner.formats.checks import PoolWatch
from planner.formats.files import detect, file_hash
from planner.formats.problems import Problems
from planner.formats.reading import read_runs
from planner.formats.records import Read
from planner.formats.rejected import RejectedLines
from planner.formats.rules import AnswerRules
from planner.formats.scales import apply_scales, fit_scale, out_of_range
from planner.formats.survey import survey_scores
from planner.formats.values import Wrong

_UNNAMED_VERIFIER = Wrong(
    "score",
    "scores outside 0..1 stand beside no verifier",
    "the verifier's name with them, so that their scale can be kept for it",
)
_MOST_COLUMNS = 10
"""Named at most, of those that are left out."""
Progress = Callable[[float, "float | None", "str | None"], None]


class ImportingStore(Protocol):
    """A store that logs can be imported into."""

    @property
    def own_files(self) -> Sequence[Path]:
        """The files that it is kept in."""

    def begin_import(
        self,
        *,
        source: str,
        sha256: str | None,
        format: str | None,  # noqa: A002
        store_prompt_text: bool,
    ) -> AbstractContextManager[ImportSink]:
        """Open an import; an exception out of the `with` block leaves the store as it was."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did. `import_id` is None where nothing new was found, and then no import is recorded."""

    import_id: str | None
    files: tuple[str, ...]
    n_runs: int = 0
    n_samples: int = 0
    n_duplicates: int = 0
    n_graded: int = 0
    n_filled: int = 0
    """Prompts of earlier imports that got a text, data set, reference or metadata which they lacked."""
    n_rejected: int = 0
    rejected_path: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for people."""
        known = f"{self.n_duplicates:,} runs were known already" if self.n_duplicates else ""
        if self.import_id is None:
            text = f"nothing new: {known or 'no runs were found'}"
            text += "" if self.n_filled else ", the store is as it was before"
        else:
            text = f"imported {self.n_runs:,} runs with {self.n_samples:,} samples as {self.import_id}"
            text += f"; {known}" if known else ""
        text += f"; {self.n_graded:,} grades were filled" if self.n_graded else ""
        if self.n_filled:
            text += f"; {self.n_filled:,} prompts got a text, data set, reference or metadata that they lacked"
        if self.n_rejected:
            text += f"; {self.n_rejected:,} bad lines were left out, see {self.rejected_path}"
        return text


def import_logs(
    store: ImportingStore,
    paths: str | Path | Sequence[str | Path],
    *,
    format: str = "auto",  # noqa: A002 - the word of the command line
    skip_bad: bool = False,
    extract: str | None = None,
    grade: str | None = None,
    store_prompt_text: bool = True,
    progress: Progress | None = None,
    rejected_path: Path | None = None,
) -> ImportReport:
    """Import logs, all files or none; what is known already changes nothing.

    `format`: auto, jsonl, parquet or csv. `extract` and `grade` name an extractor and a grader of
    `planner.formats.answers`. Without `store_prompt_text` the store keeps of a prompt its hash, length and sketch.
    With `skip_bad`, bad lines are left out and written, with their reasons, to `rejected_path` (default:
    `NAME.rejected.jsonl` in the working folder, NAME that of the first file; `NAME.rejected-2.jsonl` and so on where
    another file has that name).
    Raises BadLog that names the first bad lines and counts the rest, InvalidInput, StoreError.
    """
    files = _files(paths)
    formats = [detect(path, format=format) for path in files]
    rules = AnswerRules.named(extract, grade)
    # tables carry the texts of prompts that lines of runs only name, whichever is given first
    order = sorted(range(len(files)), key=lambda place: formats[place] == "jsonl")
    about: dict[str, Any] = {
        "source": ", ".join(path.name for path in files),
        "sha256": file_hash(files),
        "format": ", ".join(dict.fromkeys(formats)),
        "store_prompt_text": store_prompt_text,
    }
    scales: dict[str, ScoreScale] = {}
    rejected = RejectedLines(rejected_path, files, store.own_files)
    job = _Job([files[place] for place in order], format, rules, progress or _silent)
    while True:
        with rejected.kept() if skip_bad else nullcontext(Problems()) as problems:
            try:
                with store.begin_import(**about) as sink:
                    report = job.run(sink, problems, scales)
                break
            except _ScaleNeeded as needed:
                surveyed = survey_scores(job.files, format, needed.verifiers)
                scales |= {name: fit_scale(*columns) for name, columns in surveyed.items()}
    return replace(
        report, files=tuple(map(str, files)), rejected_path=str(rejected.path) if report.n_rejected else None
    )


class _ScaleNeeded(Exception):
    """Scores outside 0..1 were met: the transaction is given up, a scale fitted, and the import begun anew."""

    def __init__(self, verifiers: set[str]) -> None:
        super().__init__(", ".join(sorted(verifiers)))
        self.verifiers = verifiers


@dataclass
class _Job:
    files: list[Path]
    format: str
    rules: AnswerRules
    progress: Progress
    warnings: list[str] = field(default_factory=list)

    def run(self, sink: ImportSink, problems: Problems, fitted: Mapping[str, ScoreScale]) -> ImportReport:
        admission = Admission(sink, problems)
        watch = PoolWatch()
        scales = dict(sink.score_scales()) | {k: v for k, v in fitted.items() if k not in sink.score_scales()}
        used: set[str] = set()
        total, n_equal, n_unplaced = Written(), 0, 0
        left_out: dict[str, None] = {}
        self.rules.start()
        for path, given in self._read(problems):
            n_equal += given.n_equal
            n_unplaced += given.n_unplaced
            left_out |= dict.fromkeys(given.left_out)
            read = admission.admit(path, given)
            read = admission.refuse(path, read, self.rules.apply(read.batch, admission.references))
            outside = out_of_range(read.batch)
            read = admission.refuse(path, read, {run: _UNNAMED_VERIFIER for run, name in outside if name is None})
            if problems.stops:
                continue
            lacking = {name for _, name in outside if name is not None and name not in scales}
            if lacking:
                raise _ScaleNeeded(lacking)
            used |= apply_scales(read.batch, scales)
            watch.observe(read.batch)
            total += sink.write(read.batch)
        problems.raise_if_any()
        if problems.rejected is not None:
            problems.rejected.flush()  # where they cannot be kept, nothing is imported
        kept = {name: scales[name] for name in used}
        changed = total.runs > 0 or total.grades > 0
        warnings = [
            *self._warnings(kept, n_equal, n_unplaced if changed else 0),
            *_of_columns(list(left_out)),
            *self.rules.warnings(total.duplicates - n_equal),
            *(watch.warnings() if changed else ()),
            *sink.grown(),
            *sink.warnings(answers_as_logged=self.rules.extract is None),
        ]
        sink.finish(warnings=warnings, score_scales=kept)
        return ImportReport(
            import_id=str(sink.import_id) if changed else None,
            files=(),
            n_runs=total.runs,
            n_samples=total.samples,
            n_duplicates=total.duplicates,
            n_graded=total.grades,
            n_filled=total.prompts,
            n_rejected=problems.count,
            warnings=tuple(warnings),
        )

    def _read(self, problems: Problems) -> Iterator[tuple[Path, Read]]:
        for place, path in enumerate(self.files):
            for read in read_runs(path, format=self.format, problems=problems):
                self.progress(place + read.done, len(self.files), f"importing {path.name}")
                yield path, read

    def _warnings(self, scales: Mapping[str, ScoreScale], n_equal: int, n_unplaced: int) -> Iterator[str]:
        for name, scale in sorted(scales.items()):
            how = "its graded samples" if scale.fitted_on == "grades" else "the mean and spread of its scores"
            yield (
                f"{name}: scores outside 0..1 are mapped by sigmoid({scale.slope:.4g} x score {scale.intercept:+.4g}), "
                f"fitted on {how}; later imports of {name} use the same"
            )
        if n_equal:
            yield (
                f"{n_equal:,} records without run_id equal earlier ones and count once: give each a run_id if they "
                "are repeated draws"
            )
        if n_unplaced:
            yield (
                f"{n_unplaced:,} of the bad lines do not tell their run, and runs without run_id may lack them: undo "
                "this import (`planner logs undo ID`) before the mended table is imported, or samples will come twice"
            )


def _of_columns(left_out: Sequence[str]) -> Iterator[str]:
    """A field whose name is misspelt would be missed much later, and a setting would have told pools apart."""
    if left_out:
        names = ", ".join(name[:100] for name in left_out[:_MOST_COLUMNS])
        more = f" and {len(left_out) - _MOST_COLUMNS:,} more" if len(left_out) > _MOST_COLUMNS else ""
        yield (
            f"columns that are no field of a log were left out: {names}{more}; settings such as a temperature belong "
            "into `params`, what is known of a prompt into `metadata` (JSON objects)"
        )


def _files(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    files = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise InvalidInput("no file to import was named")
    return files


def _silent(_done: float, _total: float | None = None, _stage: str | None = None, /) -> None:
    return
