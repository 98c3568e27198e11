"""What an import says otherwise than the store, in which what came first stays: told to who imports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from planner.core.batch import Batch
from planner.store.bulk import select_in
from planner.store.rows import without_text

_MOST_NAMED = 10
_MOST_CHARACTERS = 60
_EQUAL_GRADES = 1e-6


@dataclass
class _Differing:
    """Prompts of which another value is stored; `example`: prompt_id, stored and given value of the first."""

    example: tuple[str, str, str]
    keys: set[int] = field(default_factory=set)


@dataclass
class Conflicts:
    """Of one import: samples that were left out, and details of prompts that are stored otherwise."""

    _details: dict[str, _Differing] = field(default_factory=dict)
    _samples: dict[str, int] = field(default_factory=dict)
    """Runs with samples that are not logged: run_id -> key of the import of the run."""
    _answers: dict[str, int] = field(default_factory=dict)
    """The same where nothing but answers tells them apart, which another import may have read otherwise."""
    _grades: dict[str, int] = field(default_factory=dict)
    """Runs with samples that are stored with other grades."""

    def note_detail(self, name: str, key: int, prompt_id: str, stored: str, given: str) -> None:
        """Of a prompt another data set or reference is stored than is given."""
        self._details.setdefault(name, _Differing((prompt_id, stored, given))).keys.add(key)

    def note_samples(self, connection: Connection, batch: Batch, import_key: int) -> None:
        """Find the runs of a batch, all of them logged, with samples that are not.

        The place of a sample does not tell: rows that name no chain are numbered anew in every file.
        """
        rows = batch.samples
        of_runs = [batch.runs.run_id[run] for run in rows.run]
        found = select_in(connection, "run_id, run_key, import_key", "runs", "run_id", list(dict.fromkeys(of_runs)))
        keys = {run_id: key for run_id, key, _ in found}
        owners = {run_id: owner for run_id, _, owner in found}
        columns = "run_key, chain, attempt, stage, answer, completion_tokens, correct"
        stored = select_in(connection, columns, "samples", "run_key", list(keys.values()))
        at = {tuple(place): (answer, tokens, correct) for *place, answer, tokens, correct in stored}
        given = zip(
            of_runs, rows.chain, rows.attempt, rows.stage, rows.answer, rows.completion_tokens, rows.correct,
            strict=True,
        )  # fmt: skip
        for run_id, chain, attempt, stage, answer, tokens, correct in given:
            owner = owners[run_id]
            there = at.get((keys[run_id], chain, attempt, stage))
            if there is None or (there[1] is not None and tokens not in (None, there[1])):
                self._samples[run_id] = owner
            elif answer is not None and not _same(there[0], answer):
                (self._samples if owner == import_key else self._answers)[run_id] = owner
            elif correct is not None and there[2] is not None and abs(correct - there[2]) > _EQUAL_GRADES:
                self._grades[run_id] = owner

    def warnings(self, connection: Connection, *, answers_as_logged: bool) -> Iterator[str]:
        """What was found, and what to do; see `planner.core.batch.ImportSink.warnings`."""
        found = self._samples | self._answers if answers_as_logged else self._samples
        if found:
            yield (
                f"{len(found):,} runs that are logged came with samples or answers that are not, such as run_id "
                f"{next(iter(found))!r}: a run is logged once, and these were left out; to have them, undo the imports "
                f"of these runs ({_names(connection, set(found.values()))}; `planner logs undo ID`), bring all samples "
                "of a run into one file (one line of JSON Lines) and import it whole"
            )
        if self._grades:
            yield (
                f"{len(self._grades):,} runs that are logged came with other grades, such as run_id "
                f"{next(iter(self._grades))!r}: what is stored stays; if it is wrong, undo the imports of these runs "
                f"({_names(connection, set(self._grades.values()))}; `planner logs undo ID`) and import them again"
            )
        for name, differing in sorted(self._details.items()):
            prompt_id, stored, given = differing.example
            on = select_in(connection, "DISTINCT import_key", "runs", "prompt_key", list(differing.keys))
            owners = {key for (key,) in on}
            yield (
                f"{len(differing.keys):,} prompts are stored with another {name} than is given here, such as "
                f"prompt_id {prompt_id!r} with {_short(stored)} instead of {_short(given)}: what is stored stays"
                f"{', and answers are graded by it' if name == 'reference' else ''}; if it is wrong, undo every import "
                f"with runs on these prompts ({_names(connection, owners)}; `planner logs undo ID`) and import their "
                f"logs again with the right {name}"
            )


def _same(stored: str | None, given: str) -> bool:
    """Whether two answers are equal, of which one may be kept as its hash."""
    return stored is not None and (stored == given or stored == without_text(given) or without_text(stored) == given)


def _names(connection: Connection, import_keys: set[int]) -> str:
    """Ids of imports, the oldest first."""
    rows = select_in(connection, "import_key, import_id", "imports", "import_key", list(import_keys))
    names = [import_id for _, import_id in sorted(rows)]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _short(value: str) -> str:
    return repr(value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}...")
