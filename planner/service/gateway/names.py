"""Which models are known: those of the fitted policy, of the model cards, and those that the endpoint serves."""

from __future__ import annotations

import asyncio

from planner.api import Planner
from planner.config import Settings
from planner.core import ModelCard
from planner.errors import EndpointError, EndpointRejected, EndpointTimeout, NoActivePolicy
from planner.execution.runner import Runner
from planner.service.gateway.looked_up import LookedUp
from planner.service.gateway.naming import AUTO, bare_names

CARDS_SECONDS = 5.0
"""How soon model cards are noticed that another process imported."""
SERVED_SECONDS = 60.0
LOOK_SECONDS = 20.0
"""How long an endpoint may take to list its models, tries again included: nothing is written meanwhile."""


class NamesUnavailable(EndpointError):
    """A name may be one of the endpoint's, which cannot say so now: asked again it may."""

    http_status = 503


class Names:
    """Models by name, looked up now and then."""

    def __init__(self, settings: Settings, planner: Planner) -> None:
        self._elsewhere = frozenset(settings.endpoints)
        self._planner = planner
        self._runner: Runner | None = None
        self._cards = LookedUp(self._read_cards, CARDS_SECONDS)
        self._served = LookedUp(self._ask_endpoint, SERVED_SECONDS)
        self._fitted: dict[str, tuple[str, ...]] = {}

    def serves(self, runner: Runner) -> None:
        """From now on its endpoint is asked too, and it is given the cards."""
        self._runner = runner

    async def cards(self) -> dict[str, ModelCard]:
        """Every model of the store by name."""
        return await self._cards.get(may_be_old=True)

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
        """Names of models; the endpoint is asked where `wanted` is none of the others.

        Raises EndpointError where only the endpoint could know the name, and has never said what it serves.
        """
        # What the endpoint served once may be named without asking it again: its own answer tells if that has changed.
        known = {*self.fitted(), *await self.cards(), *self._elsewhere, *(self._served.last or ())}
        if {AUTO, *known}.isdisjoint(bare_names(wanted)):
            try:
                known |= {*await self.served()}
            except EndpointError as error:
                kind = EndpointRejected if isinstance(error, EndpointRejected) else NamesUnavailable
                raise kind(f"whether there is a model {wanted!r} only its server can tell: {error}") from error
        return frozenset(known)

    async def served(self) -> tuple[str, ...]:
        """Models that the endpoint says it serves. Raises EndpointError where it has not said so yet."""
        return () if self._runner is None else await self._served.get()

    async def listed(self) -> tuple[str, ...]:
        """The same, none where it does not answer."""
        try:
            return await self.served()
        except EndpointError:
            return ()

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

    async def _read_cards(self) -> dict[str, ModelCard]:
        stored = await asyncio.to_thread(self._planner.store.models)
        cards = {one.card.name: one.card for one in stored}
        if self._runner is not None:
            self._runner.cards = cards
        return cards

    async def _ask_endpoint(self) -> tuple[str, ...]:
        assert self._runner is not None
        endpoint = self._runner.endpoint
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return tuple(await endpoint.models())
        except TimeoutError:
            raise EndpointTimeout(f"{endpoint.name} did not list its models within {LOOK_SECONDS:g} seconds") from None
