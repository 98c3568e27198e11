from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from planner.core import Completion, Conventions, Generate
from planner.errors import EndpointError
from planner.execution.openai.acquaintance import Acquaintance
from planner.execution.openai.answer import Answer
from planner.execution.openai.capabilities import Capabilities, CapabilityMemory
from planner.execution.openai.completions import absorbing, begins_anew, read_completions, stops_at_once
from planner.execution.openai.payloads import Flatten, Payload, payload
from planner.execution.openai.refusals import refused_for
from planner.execution.openai.streamed import Streamed
from planner.execution.openai.suspicion import other_ways, without
from planner.execution.openai.texts import met_stop
from planner.execution.openai.wire import Wire

_TRIES = 10


@dataclass
class Asker:
    """Puts one request in the first way that the server bears, and remembers the way."""

    wire: Wire
    memory: CapabilityMemory
    conventions: Conventions
    flatten: Flatten
    _seen: dict[str, Acquaintance] = field(default_factory=dict)

    def capabilities(self, model: str) -> Capabilities:
        """What is known so far of how the server serves the model."""
        return self.memory.of(self.wire.address.name, model)

    async def ask(self, request: Generate, n: int, seed: int | None) -> tuple[Completion, ...]:
        """Completions of one request for `n` of them; perhaps fewer, or none.

        What was billed for completions that turned out useless is added to the first one.
        Raises EndpointError with the server's first refusal where it bears no way, and with one that none would change.
        """
        model = request.generator
        known, seen = self.capabilities(model), self._seen.setdefault(model, Acquaintance())
        useless: tuple[Completion, ...] = ()
        first: Answer | None = None
        ways, tried, abandoned = [known], set[Capabilities](), 0
        while ways and len(tried) < _TRIES:
            way = ways.pop(0)
            if way in tried:
                continue
            tried.add(way)
            sent = payload(request, min(n, way.most_choices or n), seed, way, self.conventions, self.flatten)
            unproven = seen.unproven(sent)
            streamed = partial(Streamed, sent.body.get("n", 1), partial(met_stop, request=request))
            try:
                answer = await self.wire.send(
                    sent.path, sent.body, model=model, suspects=bool(unproven - {"chat"}), streamed=streamed
                )
            except EndpointError as error:
                error.abandoned += abandoned
                raise
            abandoned += answer.abandoned
            first = first or answer
            if not answer.good:
                if refused_for(answer) is not None:
                    first = answer
                    break
                ways = [*other_ways(answer, unproven, way, model, is_first=way is known), *ways]
                continue
            said = read_completions(answer, request, stop_sent="stop" in sent.members, estimate=seen.estimate)
            if better := _better_way(answer, request, said, way, unproven):
                useless, ways = (*useless, *said), [better]
                continue
            if way is not known:
                self._learn(model, known.changes(way))
            self._take_in(said, sent, seen, request)
            return _bearing(absorbing(said[:n], (*useless, *said[n:])), abandoned * sent.body.get("n", 1))
        assert first is not None
        refusal = self.wire.complaint(first, model)
        refusal.abandoned = abandoned
        raise refusal

    def _take_in(self, said: tuple[Completion, ...], sent: Payload, seen: Acquaintance, request: Generate) -> None:
        """What an answer tells of the server beside its completions."""
        asked = sent.body.get("n", 1)
        if 0 < len(said) < asked:
            self._learn(request.generator, {"most_choices": len(said)})
        limit = sent.body.get("max_tokens")
        written = [completion.completion_tokens or 0 for completion in said if not completion.estimated]
        if limit is not None and "chat" in sent.members and sum(written) > asked * limit:
            self._learn(request.generator, {"limit": "max_completion_tokens"})
        if said:
            seen.take_in(sent, len(said))

    def _learn(self, model: str, changes: dict[str, object]) -> None:
        self.memory.learn(self.wire.address.name, model, **changes)


def _better_way(
    answer: Answer, request: Generate, said: tuple[Completion, ...], way: Capabilities, unproven: frozenset[str]
) -> Capabilities | None:
    """How to ask instead, where a continuation was given that is none; None where all is well."""
    if begins_anew(answer, request, unproven):
        return without(way, frozenset({"final_message"}))
    if way.stop_after_prefix and stops_at_once(said, request, unproven):
        return replace(way, stop_after_prefix=False)
    return None


def _bearing(said: tuple[Completion, ...], abandoned: int) -> tuple[Completion, ...]:
    """The completions, the first of them with what tries before may have had written."""
    if not abandoned or not said:
        return said
    first, *others = said
    return (replace(first, abandoned=abandoned), *others)
