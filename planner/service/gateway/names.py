"""Which models are known: those of the fitted policy, of the model cards, and those that the endpoint serves."""

from __future__ import annotations

import asyncio
import time

from planner.api import Planner
from planner.config import Settings
from planner.core import ModelCard
from planner.errors import EndpointError, NoActivePolicy
from planner.execution.runner import Runner
from planner.service.gateway.naming import AUTO, bare_names

CARDS_SECONDS = 5.0
"""How soon model cards are noticed that another process imported."""
SERVED_SECONDS = 60.0


class Names:
    """Models by name, looked up now and then."""

    def __init__(self, settings: Settings, planner: Planner) -> None:
        self._elsewhere = frozenset(settings.endpoints)
        self._planner = planner
        self._runner: Runner | None = None
        self._cards: dict[str, ModelCard] = {}
        self._looked_at = self._asked_at = float("-inf")
        self._served: tuple[str, ...] = ()
        self._fitted: dict[str, tuple[str, ...]] = {}

    def serves(self, runner: Runner) -> None:
        """From now on its endpoint is asked too, and it is given the cards."""
        self._runner = runner

    async def cards(self) -> dict[str, ModelCard]:
        """Every model of the store by name."""
        if time.monotonic() - self._looked_at > CARDS_SECONDS:
            self._looked_at = time.monotonic()
            stored = await asyncio.to_thread(self._planner.store.models)
            self._cards = {one.card.name: one.card for one in stored}
            if self._runner is not None:
                self._runner.cards = self._cards
        return self._cards

    def fitted(self) -> tuple[str, ...]:
        """Generators that can be planned with."""
        try:
            policy = self._planner.policy
        except NoActivePolicy:
            return ()
        if policy.policy_id not in self._fitted:
            self._fitted = {policy.policy_id: tuple(sorted({name for arm in policy.arms for name in arm.generators}))}
        return self._fitted[policy.policy_id]

    async def known(self, wanted: str) -> frozenset[str]:
        """Names of models; the endpoint is asked where `wanted` is none of the others."""
        known = {*self.fitted(), *await self.cards(), *self._elsewhere}
        if known.isdisjoint(bare_names(wanted)) and wanted != AUTO:
            known |= {*await self.served()}
        return frozenset(known)

    async def served(self) -> tuple[str, ...]:
        """Models that the endpoint says it serves; none where it does not answer."""
        if self._runner is not None and time.monotonic() - self._asked_at > SERVED_SECONDS:
            self._asked_at = time.monotonic()
            try:
                self._served = tuple(await self._runner.endpoint.models())
            except EndpointError:
                self._served = ()
        return self._served

    async def default(self) -> str:
        """The generator that answers where nothing is planned: the policy's reference, else the first that is served.

        Raises NoActivePolicy where there is neither.
        """
        try:
            return self._planner.policy.predictor.reference_
        except NoActivePolicy:
            served = await self.served()
            if not served:
                raise
            return served[0]
