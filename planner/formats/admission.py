"""What only the store can tell of a batch: texts of prompts that it names, and runs that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from planner.core.batch import Batch, ImportSink, KnownPrompt, PromptColumns
from planner.formats.problems import Problems
from planner.formats.records import Read, text_hash, two_texts
from planner.formats.values import Wrong


@dataclass
class Admission:
    """Lets a run in if its prompt has one text and its run_id one meaning; keeps what it has seen of prompts."""

    sink: ImportSink
    problems: Problems
    references: dict[str, str | None] = field(default_factory=dict)
    """Gold answer of every prompt met so far."""
    _hashes: dict[str, str] = field(default_factory=dict)
    _other_texts: set[tuple[Path, str]] = field(default_factory=set)  # of prompts, in the file that has another

    def admit(self, path: Path, read: Read) -> Read:
        """The same without prompts and runs that cannot be let in; each of these runs is among the problems."""
        batch = read.batch
        self._look_up(batch)
        refused = self._refused_prompts(path, batch.prompts)
        wrongs = self._refused_runs(path, read)
        if refused:
            kept = [row for row, one in enumerate(batch.prompts.prompt_id) if one not in refused]
            read = replace(read, batch=replace(batch, prompts=batch.prompts.take(kept)))
        return self.refuse(path, read, wrongs)

    def refuse(self, path: Path, read: Read, wrongs: Mapping[int, Wrong]) -> Read:
        """The same without these runs, counted as in the batch, which join the problems."""
        if not wrongs:
            return read
        for run, wrong in sorted(wrongs.items()):
            raw = read.raw(run) if self.problems.rejected else None
            place = f"{path}:{read.run_lines[run]}"
            self.problems.add(place, wrong.field, wrong.wrong, wrong.expected, line=raw)
        return read.without(wrongs.keys())

    def _look_up(self, batch: Batch) -> None:
        unknown = {*batch.prompts.prompt_id, *batch.runs.prompt_id} - self._hashes.keys()
        known = self.sink.known_prompts(list(unknown))
        for prompt_id, found in known.items():
            self._remember(prompt_id, found)

    def _remember(self, prompt_id: str, found: KnownPrompt) -> None:
        self._hashes[prompt_id] = found.text_sha256 or ""
        if found.reference:
            self.references.setdefault(prompt_id, found.reference)

    def _refused_prompts(self, path: Path, prompts: PromptColumns) -> set[str]:
        """Prompts whose text is not known, or another than is known."""
        refused = set()
        for prompt_id, text, reference in zip(prompts.prompt_id, prompts.text, prompts.reference, strict=True):
            known = self._hashes.get(prompt_id)
            digest = known if text is None else text_hash(text)
            if text is not None:
                self._other_texts.discard((path, prompt_id))
            if digest is None:
                refused.add(prompt_id)
            elif known not in (None, "", digest):
                self._other_texts.add((path, prompt_id))
                refused.add(prompt_id)
            else:
                self._hashes[prompt_id] = digest
                if reference is not None:
                    self.references.setdefault(prompt_id, reference)
        return refused

    def _refused_runs(self, path: Path, read: Read) -> dict[int, Wrong]:
        """Runs that bear another text than their prompt's, or none where it is not known; ids of two meanings."""
        runs = read.batch.runs
        known = {run_id: (run.prompt_id, run.generator) for run_id, run in self.sink.known_runs(runs.run_id).items()}
        wrongs: dict[int, Wrong] = {}
        unclear = known or self._other_texts or not self._hashes.keys() >= set(runs.prompt_id)
        if not unclear and len(set(runs.run_id)) == len(runs):
            return wrongs  # the common case, without a look at each run
        rows = zip(runs.run_id, runs.prompt_id, runs.generator, read.has_text, strict=True)
        for row, (run_id, prompt_id, generator, has_text) in enumerate(rows):
            if prompt_id not in self._hashes:
                wrong = f"the text of prompt_id {prompt_id!r} is not known yet"
                wrongs[row] = Wrong("prompt", wrong, "the prompt's text where its id is met first")
            elif has_text and (path, prompt_id) in self._other_texts:
                wrongs[row] = two_texts(prompt_id, "in a file that was read before")
            elif known.setdefault(run_id, (prompt_id, generator)) != (prompt_id, generator):
                wrong = f"{run_id!r} stands for a run of another prompt or generator"
                wrongs[row] = Wrong("run_id", wrong, "one run_id a run")
        return wrongs
