"""What the budget model reads of a belief, whoever holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from planner.curves.logs import Floats


class Believed(Protocol):
    """What is believed of P prompts; `planner.difficulty.Belief` is one."""

    @property
    def bounded(self) -> Floats:
        """Text features, standardised, none beyond what the logs say of it, (P, F)."""

    @property
    def bins(self) -> Floats:
        """Posterior over the bins, the easiest first, (P, B)."""

    @property
    def n_characters(self) -> Floats:
        """Lengths of the texts, (P,)."""
