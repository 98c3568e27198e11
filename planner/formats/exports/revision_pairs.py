"""Chains from wrong to right answers for training a reviser, as TRL's conversations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planner.core import Conventions, Run
from planner.errors import NotEnoughData
from planner.formats.exports.prompts import Candidate, Seen, by_prompt, candidates, what_is_missing

MAX_WRONG_ATTEMPTS = 4
Record = dict[str, Any]


@dataclass
class RevisionExport:
    """Turns logged runs into records {"messages": [...]}: wrong attempts, and at the end a right answer.

    A right answer follows 0 to `max_wrong` wrong attempts of the same prompt, as many as there are at most; the
    last of them is the one of least edit distance to it, the others are drawn at random
    (Snell et al. 2024, arXiv 2408.03314, after RISE). Only first attempts are used: a revision speaks of the
    attempts before it. At most `max_per_prompt` right answers of a prompt are used, drawn at random.
    `seed`: each prompt's draws depend on it and on the prompt's id alone.
    """

    max_wrong: int = MAX_WRONG_ATTEMPTS
    max_per_prompt: int = 4
    instruction: str = field(default_factory=lambda: Conventions().revision_instruction)
    seed: int = 0
    generators: tuple[str, ...] = ()
    seen: Seen = field(default_factory=Seen)
    n_records: int = 0
    n_prompts: int = 0

    def records(self, runs: Iterable[Run]) -> Iterator[Record]:
        """Records prompt by prompt; runs of one prompt must come together.

        Raises NotEnoughData, saying what is missing, at the end where there was none.
        """
        for prompt_id, some in by_prompt(runs):
            before = self.n_records
            for record in self._of_prompt(prompt_id, list(filter(self._is_wanted, candidates(some, self.seen)))):
                self.n_records += 1
                yield record
            self.n_prompts += self.n_records > before
        if not self.n_records:
            raise NotEnoughData(self._why_none())

    def _is_wanted(self, candidate: Candidate) -> bool:
        generator = candidate.sample.generator or candidate.run.generator
        return candidate.sample.attempt == 0 and (not self.generators or generator in self.generators)

    def _of_prompt(self, prompt_id: str, found: Sequence[Candidate]) -> Iterator[Record]:
        right, wrong = (
            sorted({one.text for one in found if one.is_right is wanted and one.text.strip()})
            for wanted in (True, False)
        )
        rng = np.random.default_rng([self.seed, int.from_bytes(hashlib.sha256(prompt_id.encode()).digest()[:8])])
        for place in rng.permutation(len(right))[: self.max_per_prompt]:
            earlier = wrong_attempts(right[place], wrong, int(rng.integers(self.max_wrong + 1)), rng)
            yield {"messages": self._messages(found[0].run.prompt or "", [*earlier, right[place]])}

    def _messages(self, prompt: str, attempts: Sequence[str]) -> list[dict[str, str]]:
        messages = [{"role": "user", "content": prompt}]
        for place, text in enumerate(attempts):
            if place:
                messages.append({"role": "user", "content": self.instruction})
            messages.append({"role": "assistant", "content": text})
        return messages

    def _why_none(self) -> str:
        if not self.seen.prompt_texts:
            return what_is_missing(self.seen)
        return (
            f"none of the {self.seen.prompt_texts:,} graded answers with a text is a right first attempt of the "
            "generators asked for"
        )


def wrong_attempts(right: str, wrong: Sequence[str], n_attempts: int, rng: np.random.Generator) -> list[str]:
    """At most `n_attempts` of the wrong answers, drawn at random but for the last, the nearest to the right one."""
    n_attempts = min(n_attempts, len(wrong))
    if not n_attempts:
        return []
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - imports of logs do without it

    nearest = min(range(len(wrong)), key=lambda place: Levenshtein.distance(wrong[place], right))
    others = [place for place in range(len(wrong)) if place != nearest]
    drawn = rng.permutation(len(others))[: n_attempts - 1]
    return [*(wrong[others[place]] for place in drawn), wrong[nearest]]
