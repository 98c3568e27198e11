"""What only the store can tell of a batch: texts of prompts that it names, and runs that it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from planner.core.batch import Batch, ImportSink, KnownPrompt, SampleColumns
from planner.formats.problems import Problems
from planner.formats.records import Read, text_hash, two_texts


@dataclass
class Admission:
    """Lets a run in if its prompt has one text and its run_id one meaning; keeps what it has seen of prompts."""

    sink: ImportSink
    problems: Problems
    references: dict[str, str | None] = field(default_factory=dict)
    """Gold answer of every prompt met so far."""
    _hashes: dict[str, str] = field(default_factory=dict)

    def admit(self, path: Path, read: Read) -> Batch:
        """The batch without the runs that cannot be let in; each is among the problems."""
        batch = read.batch
        self._look_up(batch)
        refused = self._refused_prompts(path, read)
        bad = self._refused_runs(path, read, refused)
        if not (refused or bad):
            return batch
        good_prompts = [row for row, one in enumerate(batch.prompts.prompt_id) if one not in refused]
        good_runs = [row for row in range(len(batch.runs)) if row not in bad]
        return Batch(batch.prompts.take(good_prompts), batch.runs.take(good_runs), _samples_of(batch, good_runs))

    def _look_up(self, batch: Batch) -> None:
        unknown = {*batch.prompts.prompt_id, *batch.runs.prompt_id} - self._hashes.keys()
        known = self.sink.known_prompts(list(unknown))
        for prompt_id, found in known.items():
            self._remember(prompt_id, found)

    def _remember(self, prompt_id: str, found: KnownPrompt) -> None:
        self._hashes[prompt_id] = found.text_sha256 or ""
        if found.reference:
            self.references.setdefault(prompt_id, found.reference)

    def _refused_prompts(self, path: Path, read: Read) -> set[str]:
        prompts = read.batch.prompts
        refused = set()
        rows = zip(prompts.prompt_id, prompts.text, prompts.reference, read.prompt_lines, strict=True)
        for prompt_id, text, reference, line in rows:
            known = self._hashes.get(prompt_id)
            digest = known if text is None else text_hash(text)
            if digest is None:
                refused.add(prompt_id)
            elif known not in (None, "", digest):
                wrong = two_texts(prompt_id, "in a file that was read before")
                self.problems.add(f"{path}:{line}", wrong.field, wrong.wrong, wrong.expected, line=prompt_id)
                refused.add(prompt_id)
            else:
                self._hashes[prompt_id] = digest
                if reference is not None:
                    self.references.setdefault(prompt_id, reference)
        return refused

    def _refused_runs(self, path: Path, read: Read, refused: set[str]) -> set[int]:
        runs = read.batch.runs
        known = {run_id: (run.prompt_id, run.generator) for run_id, run in self.sink.known_runs(runs.run_id).items()}
        bad: set[int] = set()
        if not (known or refused) and len(set(runs.run_id)) == len(runs):
            return bad  # the common case, without a look at each run
        rows = zip(runs.run_id, runs.prompt_id, runs.generator, read.run_lines, strict=True)
        for row, (run_id, prompt_id, generator, line) in enumerate(rows):
            if prompt_id in refused:
                bad.add(row)
                if prompt_id not in self._hashes:
                    self._add(path, line, "prompt", f"the text of prompt_id {prompt_id!r} is not known yet",
                              "the prompt's text where its id is met first", run_id)  # fmt: skip
                continue
            if known.setdefault(run_id, (prompt_id, generator)) != (prompt_id, generator):
                bad.add(row)
                self._add(path, line, "run_id", f"{run_id!r} stands for a run of another prompt or generator",
                          "one run_id a run", run_id)  # fmt: skip
        return bad

    def _add(self, path: Path, line: int, name: str, wrong: str, expected: str, run_id: str) -> None:
        self.problems.add(f"{path}:{line}", name, wrong, expected, line={"run_id": run_id})


def _samples_of(batch: Batch, runs: list[int]) -> SampleColumns:
    place = {run: new for new, run in enumerate(runs)}
    rows = [row for row, run in enumerate(batch.samples.run) if run in place]
    samples = batch.samples.take(rows)
    samples.run = [place[run] for run in samples.run]
    return samples
