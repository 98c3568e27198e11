"""What tokens of each model cost in every unit of budget, from model cards (METHODS, 2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from planner.core import ModelCard, Unit
from planner.errors import InvalidInput
from planner.execution.lengths import Judging

Role = Literal["generator", "verifier"]

FLOPS_PER_PARAMETER = 2.0
_NEEDED: Mapping[Unit, Mapping[Role, tuple[str, ...]]] = {
    "flops": {"generator": ("active_params",), "verifier": ("active_params",)},
    "usd": {
        "generator": ("usd_per_million_prompt_tokens", "usd_per_million_completion_tokens"),
        "verifier": ("usd_per_million_prompt_tokens",),
    },
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What one request took; None is unknown.

    prompt, completion: of a generator; `billed_prompt` of the prompt stand on the bill, `cached` were not processed.
    verifier: read (and, by a judge, written) to score candidates; `written` of them are a judge's.
    """

    generations: float = 0.0
    prompt: float | None = 0.0
    billed_prompt: float | None = 0.0
    cached: float = 0.0
    completion: float | None = 0.0
    verifier: float | None = 0.0
    written: float = 0.0

    def filled(self, expected: Counts) -> Counts:
        """With what was expected where nothing is known."""
        return Counts(
            self.generations,
            expected.prompt if self.prompt is None else self.prompt,
            expected.billed_prompt if self.billed_prompt is None else self.billed_prompt,
            self.cached,
            expected.completion if self.completion is None else self.completion,
            expected.verifier if self.verifier is None else self.verifier,
            expected.written if self.verifier is None else self.written,
        )

    def plus(self, other: Counts, times: float) -> Counts:
        """With the tokens of `other` so many times; its generations are not counted: they are no more candidates."""
        return replace(
            self,
            prompt=_plus(self.prompt, other.prompt, times),
            billed_prompt=_plus(self.billed_prompt, other.billed_prompt, times),
            completion=_plus(self.completion, other.completion, times),
            verifier=_plus(self.verifier, other.verifier, times),
            written=self.written + times * other.written,
        )


class Prices:
    """Rates of the models that a run may call."""

    def __init__(
        self,
        cards: Mapping[str, ModelCard],
        free: Collection[str] = (),
        judges: Mapping[str, Judging] = MappingProxyType({}),
    ) -> None:
        """`cards` by model name; `free`: functions and commands, which are no models and cost nothing.

        judges: verifiers that write their verdicts; others do where their card says that they are generators.
        """
        self._cards = cards
        self._free = frozenset(free)
        self._judges = judges

    def require(self, units: Iterable[Unit], models: Iterable[tuple[str, Role]]) -> None:
        """Raise InvalidInput, naming model and missing field, where a cost in one of the units would be unknown."""
        for unit in units:
            for model, role in models:
                if model in self._free:
                    continue
                written = role == "generator" or self.judging(model) is not None
                for field in _NEEDED.get(unit, {}).get("generator" if written else "verifier", ()):
                    if getattr(self._cards.get(model), field, None) is None:
                        raise InvalidInput(
                            f"a ceiling in {unit} cannot be kept: the model card of {model!r} has no {field}; "
                            "add it with `planner models import FILE`, or give the ceiling in another unit"
                        )

    def judging(self, verifier: str) -> Judging | None:
        """How a verifier is asked that writes its verdicts, as a language model does; None where it only scores."""
        if verifier in self._judges or verifier in self._free:
            return self._judges.get(verifier)
        card = self._cards.get(verifier)
        return Judging() if card is not None and card.kind == "generator" else None

    def cost(self, model: str, counts: Counts, unit: Unit) -> float | None:
        """What the counts cost in one unit but latency; None where a card or a count is unknown."""
        if unit == "generations":
            return counts.generations
        if model in self._free:
            return 0.0
        if unit == "usd":
            return self._usd(model, counts)
        if counts.prompt is None or counts.completion is None or counts.verifier is None:
            return None
        tokens = counts.prompt + counts.completion + counts.verifier
        if unit == "tokens":
            return tokens
        params = self._rate(model, "active_params")
        return None if params is None else FLOPS_PER_PARAMETER * params * (tokens - counts.cached)

    def _usd(self, model: str, counts: Counts) -> float | None:
        total = 0.0
        for tokens, field in (
            (counts.billed_prompt, "usd_per_million_prompt_tokens"),
            (None if counts.verifier is None else counts.verifier - counts.written, "usd_per_million_prompt_tokens"),
            (counts.completion, "usd_per_million_completion_tokens"),
            (counts.written, "usd_per_million_completion_tokens"),
        ):
            rate = self._rate(model, field)
            if tokens is None or (tokens and rate is None):
                return None
            total += tokens * (rate or 0.0) / 1e6
        return total

    def _rate(self, model: str, field: str) -> float | None:
        value: float | None = getattr(self._cards.get(model), field, None)
        return value


def _plus(one: float | None, other: float | None, times: float) -> float | None:
    return None if one is None or other is None else one + times * other
