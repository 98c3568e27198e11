"""Extraction and grading of a batch, as asked for at import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from planner.core.batch import Batch, RunColumns, SampleColumns
from planner.errors import InvalidInput
from planner.formats.answers import Extractor, Grader, extractor, grader
from planner.formats.values import Wrong

_NOTABLE = 0.5
"""Some answers are cut off or left out in every log; where more than this share yields none, the extractor is wrong."""
_MIN_GRADED = 20
"""Where so many answers or more are all wrong, they were hardly read as their references are written."""
_SHOWN = 60
"""Characters shown of an answer and its reference: their ends, where texts say what they come to."""


@dataclass
class AnswerRules:
    """How raw answers are read and graded; equal texts are read once."""

    extract: Extractor | None = None
    grade: Grader | None = None
    extract_name: str = ""
    n_without_reference: int = 0
    n_unread: int = 0
    """Texts that stay ungraded since no extractor was named and no answer stands beside them."""
    n_read: int = 0
    n_nothing: int = 0
    """Texts that were read, and those in which the extractor found no answer."""
    n_graded: int = 0
    n_right: float = 0.0
    unequal: tuple[str, str] | None = None
    """Answers that were compared, how many of them are right, and the first that is wrong beside its reference."""
    _extracted: dict[str, str | None] = field(default_factory=dict)
    _graded: dict[tuple[str | None, str], float] = field(default_factory=dict)

    @classmethod
    def named(cls, extract: str | None, grade: str | None) -> AnswerRules:
        """Rules by their names. Raises InvalidInput for an unknown one."""
        return cls(extractor(extract) if extract else None, grader(grade) if grade else None, extract or "")

    def start(self) -> None:
        """Count from nothing: an import is begun anew where a scale has to be fitted first."""
        self.n_without_reference = self.n_unread = self.n_read = self.n_nothing = self.n_graded = 0
        self.n_right, self.unequal = 0.0, None

    def warnings(self, n_known: int) -> Iterator[str]:
        """What was not read and not graded; `n_known` of the runs were in the store already."""
        if self.n_nothing > _NOTABLE * self.n_read:
            yield (
                f"{self.extract_name} found no answer in {self.n_nothing:,} of {self.n_read:,} texts: they count as "
                "wrong where they are graded; if they do hold answers, undo this import and choose another --extract"
            )
        elif self.n_graded >= _MIN_GRADED and not self.n_right and self.unequal is not None:
            answer, reference = self.unequal
            yield (
                f"none of {self.n_graded:,} answers is graded right, such as {answer[-_SHOWN:]!r} for "
                f"{reference[-_SHOWN:]!r}: if some are, undo this import and choose another --extract or --grade"
            )
        if self.extract is not None and n_known:
            yield (
                f"--extract reads the answers of new runs only: those of {n_known:,} runs that were known already stay "
                "as they were stored; if they were imported without it, undo that import (`planner logs list`, "
                "`planner logs undo ID`) and import again with --extract"
            )
        if self.n_unread:
            yield (
                f"{self.n_unread:,} texts without an answer were not graded: undo this import, and import again with "
                "an --extract that reads the answers out of them"
            )
        if self.n_without_reference:
            yield f"{self.n_without_reference:,} answers were not graded, since their prompts have no reference"

    def apply(self, batch: Batch, references: Mapping[str, str | None]) -> dict[int, Wrong]:
        """Extract answers from `text` (else from the raw answer), then grade what has no grade yet.

        Gives the runs whose reference the grader cannot use, which their prompts then lack.
        """
        wrongs: dict[int, Wrong] = {}
        if self.extract is None and self.grade is None:
            return wrongs
        runs, samples, prompts = batch.runs, batch.samples, batch.prompts
        of_runs = [references.get(prompt_id) for prompt_id in runs.prompt_id]
        self._apply(samples, samples.text, samples.run, of_runs, wrongs)
        self._apply(runs, [None] * len(runs), range(len(runs)), of_runs, wrongs)
        unusable = {runs.prompt_id[run] for run in wrongs}
        for row, prompt_id in enumerate(prompts.prompt_id) if unusable else ():
            if prompt_id in unusable:
                prompts.reference[row] = None
        return wrongs

    def _apply(
        self,
        columns: RunColumns | SampleColumns,
        texts: list[str | None],
        runs: Sequence[int],
        references: list[str | None],
        wrongs: dict[int, Wrong],
    ) -> None:
        for row, (text, raw, run) in enumerate(zip(texts, columns.answer, runs, strict=True)):
            source = raw if text is None else text
            if self.extract is not None and source is not None:
                columns.answer[row] = found = self._read(source)
                self.n_read += 1
                self.n_nothing += found is None
            if self.grade is None or columns.correct[row] is not None:
                continue
            reference = references[run]
            unread = columns.answer[row] is None and (self.extract is None or source is None)
            if unread and columns.status[row] == "ok":
                self.n_unread += source is not None  # else nothing was drawn here: a run of samples alone
            elif reference is None:
                self.n_without_reference += 1
            else:
                try:
                    columns.correct[row] = self._count(columns.answer[row], reference)
                except InvalidInput as error:
                    wrongs[run] = Wrong("reference", str(error).removeprefix("reference "), "one that the grader reads")

    def _read(self, source: str) -> str | None:
        assert self.extract is not None
        if source not in self._extracted:
            if len(self._extracted) > 100_000:  # long texts are rarely equal: they must not fill the memory
                self._extracted.clear()
            self._extracted[source] = self.extract(source)
        return self._extracted[source]

    def _count(self, answer: str | None, reference: str) -> float:
        mark = self._mark(answer, reference)
        self.n_graded += 1
        self.n_right += mark
        if self.unequal is None and answer is not None and not mark:
            self.unequal = (answer, reference)
        return mark

    def _mark(self, answer: str | None, reference: str) -> float:
        assert self.grade is not None
        key = (answer, reference)
        if key not in self._graded:
            if len(self._graded) > 100_000:
                self._graded.clear()
            self._graded[key] = self.grade(answer, reference)
        return self._graded[key]
