"""What a sweep has spent, and whether another run is likely to fit what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.core import Arm, ModelCard, Run, Unit
from planner.execution.ledger import Ledger
from planner.execution.prices import Counts, Prices
from planner.execution.tally import SUMS


@dataclass
class Purse:
    """The account that a sweep's runs share, and what each kind of run took so far."""

    cards: Mapping[str, ModelCard]
    ceilings: Mapping[Unit, float]
    spent: dict[Unit, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))
    _taken: dict[str, tuple[int, dict[Unit, float]]] = field(
        default_factory=lambda: defaultdict(lambda: (0, dict.fromkeys(SUMS, 0.0)))
    )

    def __post_init__(self) -> None:
        self.account = Ledger(self.ceilings)
        self.prices = Prices(self.cards)

    def remember(self, run: Run) -> None:
        """Count a run that was logged before: it is part of the total."""
        amounts = self.note(run)
        for unit in self.account.ceilings:
            self.account.used[unit] += amounts[unit]

    def note(self, run: Run) -> dict[Unit, float]:
        """Count a run that went through the account; give what it took."""
        amounts = self.taken_by(run)
        n, taken = self._taken[_kind(run)]
        self._taken[_kind(run)] = n + 1, {unit: taken[unit] + amounts[unit] for unit in SUMS}
        for unit in SUMS:
            self.spent[unit] += amounts[unit]
        return amounts

    def lacks(self, arm: Arm, n_running: int) -> Unit | None:
        """The unit in which one more such run is likely not to fit beside those that run; None where it fits.

        A run is begun only where it can be expected to be drawn in full.
        """
        n, taken = self._taken[_kind(arm)]
        for unit in self.account.ceilings:
            each = taken[unit] / n if n else 0.0
            if unit == "generations":
                each = max(each, arm.breadth * arm.depth)
            if self.account.room(unit, held=False) < each * (1 + n_running):
                return unit
        return None

    def taken_by(self, run: Run) -> dict[Unit, float]:
        """What a logged run took, in the units that add up; 0 where it is unknown."""
        prompt, completion = run.prompt_tokens or 0, run.completion_tokens or 0
        counts = [(run.generator, Counts(_generations(run), prompt, prompt, completion=completion))]
        if run.verifier is not None:
            counts.append((run.verifier, Counts(verifier=run.verifier_tokens or 0)))
        return {unit: sum(self.prices.cost(model, one, unit) or 0.0 for model, one in counts) for unit in SUMS}


def spent_text(spent: Mapping[Unit, float]) -> str:
    """A few words on what was spent: generations and tokens, FLOPs and USD where they are known.

    >>> spent_text({"generations": 1200, "tokens": 64000, "flops": 4.1e10, "usd": 0.0})
    '1,200 generations, 64,000 tokens, 4.1e+10 FLOPs'
    """
    words = [f"{spent['generations']:,.0f} generations", f"{spent['tokens']:,.0f} tokens"]
    words += [f"{spent['flops']:.2g} FLOPs"] if spent["flops"] else []
    words += [f"{spent['usd']:,.4g} USD"] if spent["usd"] else []
    return ", ".join(words)


def _generations(run: Run) -> float:
    match run.search:
        case "sampling" | "rollouts":
            return len(run.samples)
        case "lookahead":
            steps: int = run.params.get("lookahead_steps", 0)
            return run.breadth * (1 + steps)
    return run.breadth


def _kind(run: Run | Arm) -> str:
    """Runs of one kind take about the same."""
    return f"{run.generator}|{run.search}|{0 if run.search == 'rollouts' else run.breadth}|{run.depth}"
