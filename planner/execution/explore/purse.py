"""What a sweep has spent, and whether another run is likely to fit what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.core import Arm, Cost, Run, Unit
from planner.execution.ledger import Ledger
from planner.execution.prices import Counts, Prices
from planner.execution.tally import SUMS

_MARGIN = 1.25
"""Beside what is expected from runs of other kinds: revisions and steps read more."""
_FEW = 8
"""Runs that may be begun while nothing is known of what one takes."""


@dataclass
class _Mean:
    """Mean of some amounts."""

    n: int = 0
    total: dict[Unit, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))

    def add(self, amounts: Mapping[Unit, float]) -> None:
        self.n += 1
        self.total = {unit: self.total[unit] + amounts[unit] for unit in SUMS}


@dataclass(frozen=True)
class _Tokens:
    """Tokens of some completions; `verdicts` of them were written, and count generations too."""

    completions: float = 0.0
    verdicts: float = 0.0
    prompt: float = 0.0
    completion: float = 0.0
    verified: float = 0.0

    def __add__(self, other: _Tokens) -> _Tokens:
        return _Tokens(
            self.completions + other.completions,
            self.verdicts + other.verdicts,
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.verified + other.verified,
        )

    def for_completions(self, n: float) -> _Tokens:
        """What so many completions are likely to take."""
        share = n / self.completions if self.completions else 0.0
        counts = (self.prompt, self.completion, self.verified)
        return _Tokens(n, share * self.verdicts, *(share * _MARGIN * count for count in counts))


@dataclass
class Purse:
    """The account that a sweep's runs share, and what each kind of run took so far. Unknown costs count 0."""

    prices: Prices
    ceilings: Mapping[Unit, float]
    spent: dict[Unit, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))
    _kinds: dict[str, _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    _tokens: _Tokens = field(default_factory=_Tokens)

    def __post_init__(self) -> None:
        self.account = Ledger(self.ceilings)

    def remember(self, run: Run) -> None:
        """Count a run that was logged before: it is part of the total.

        What a server did not process again is not logged: FLOPs are those of all tokens.
        """
        counts = (run.prompt_tokens, run.completion_tokens, run.verifier_tokens)
        tokens = _Tokens(_completions(run), self._written_verdicts(run), *(count or 0.0 for count in counts))
        amounts = self._amounts(run, tokens)
        if run.usd is not None:
            amounts["usd"] = run.usd
        self._note(run, amounts, tokens)
        for unit in self.account.ceilings:
            self.account.used[unit] += amounts[unit]

    def note(self, cost: Cost, run: Run | None) -> None:
        """Count what went through the account; `run` is None where the arm was not carried out to its end."""
        known = {unit: cost.in_unit(unit) or 0.0 for unit in SUMS}
        if run is None:
            self.spent = {unit: self.spent[unit] + known[unit] for unit in SUMS}
            return
        verdicts = self._written_verdicts(run)
        counts = (cost.prompt_tokens, cost.completion_tokens, cost.verifier_tokens)
        tokens = _Tokens(known["generations"] - verdicts, verdicts, *(count or 0.0 for count in counts))
        self._note(run, known, tokens)

    def lacks(self, arm: Arm, n_running: int) -> Unit | None:
        """The unit in which one more such run is likely not to fit beside those that run; None where it fits.

        A run is begun only where it can be expected to be drawn in full.
        """
        each = self._expected(arm)
        for unit in self.account.ceilings:
            if self.account.room(unit, held=False) < each[unit] * (1 + n_running):
                return unit
        return None

    def most_running(self, arm: Arm) -> int | None:
        """How many such runs may be begun side by side; None where what they take is known, or is not limited."""
        if not self.account.ceilings or self._tokens.completions or self._kinds[_kind(arm)].n:
            return None
        return _FEW

    @property
    def completion_tokens(self) -> float | None:
        """Of one answer, as they came so far; None before the first."""
        seen = self._tokens
        return seen.completion / seen.completions if seen.completions and seen.completion else None

    def _expected(self, arm: Arm) -> Mapping[Unit, float]:
        """What a run of an arm takes: such runs' mean, else by the tokens of a generation of whatever was run."""
        known = self._kinds[_kind(arm)]
        if known.n:
            return {unit: known.total[unit] / known.n for unit in SUMS}
        return self._amounts(arm, self._tokens.for_completions(arm.breadth * arm.depth))

    def _written_verdicts(self, run: Run) -> float:
        """Verdicts that count a generation each: a judge's, and those of a generator that judges itself."""
        judged = run.verifier is None or self.prices.judging(run.verifier) is not None
        return float(run.verifier_calls or 0) if judged else 0.0

    def _note(self, arm: Run | Arm, amounts: Mapping[Unit, float], tokens: _Tokens) -> None:
        self._kinds[_kind(arm)].add(amounts)
        self.spent = {unit: self.spent[unit] + amounts[unit] for unit in SUMS}
        self._tokens += tokens

    def _amounts(self, arm: Run | Arm, tokens: _Tokens) -> dict[Unit, float]:
        own = Counts(tokens.completions + tokens.verdicts, tokens.prompt, tokens.prompt, completion=tokens.completion)
        verified = [] if arm.verifier is None else [(arm.verifier, Counts(verifier=tokens.verified))]
        models = [(arm.generator, own), *verified]
        return {unit: sum(self.prices.cost(name, one, unit) or 0.0 for name, one in models) for unit in SUMS}


def spent_text(spent: Mapping[Unit, float]) -> str:
    """A few words on what was spent: generations and tokens, FLOPs and USD where they are known.

    >>> spent_text({"generations": 1200, "tokens": 64000, "flops": 4.1e10, "usd": 0.0})
    '1,200 generations, 64,000 tokens, 4.1e+10 FLOPs'
    """
    words = [f"{spent['generations']:,.0f} generations", f"{spent['tokens']:,.0f} tokens"]
    words += [f"{spent['flops']:.2g} FLOPs"] if spent["flops"] else []
    words += [f"{spent['usd']:,.4g} USD"] if spent["usd"] else []
    return ", ".join(words)


def _completions(run: Run) -> float:
    """Completions that count a generation each: where a run was broken off, as many as it may have drawn."""
    if "interrupted" in run.params and run.prompt_tokens == 0:
        return 0
    arm = Arm.model_validate(run.params["planned"]) if "planned" in run.params else run
    match arm.search:
        case "sampling" | "rollouts":
            return len(run.samples) or arm.breadth * arm.depth
        case "lookahead":
            steps: int = arm.params.get("lookahead_steps", 0)
            return arm.breadth * (1 + steps)
    return arm.breadth


def _kind(run: Run | Arm) -> str:
    """Runs of one kind take about the same."""
    return f"{run.generator}|{run.search}|{0 if run.search == 'rollouts' else run.breadth}|{run.depth}"
