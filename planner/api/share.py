"""One prompt's share of a total that many prompts are answered from."""

from __future__ import annotations

from dataclasses import dataclass

from planner.core import Budget
from planner.execution.ledger import Ledger

_NOTHING = 1e-9  # a budget is positive


@dataclass
class Share:
    """What is left of a total (one ceiling), as an average over the `left` prompts that are not answered yet.

    A session that took the whole total for its prompt's own ceiling would leave nothing for those after it.
    """

    total: Ledger
    left: int

    def of(self, budget: Budget | None) -> Budget:
        """The limits of one prompt's session: its own ceilings, and its share as an average."""
        ((unit, _),) = self.total.ceilings.items()
        mean = max(self.total.room(unit, held=False), _NOTHING) / max(self.left, 1)
        ceilings = {f"max_{name}": ceiling for name, ceiling in (budget.ceilings if budget else {}).items()}
        return Budget(**ceilings, **{f"mean_{unit}": mean})
