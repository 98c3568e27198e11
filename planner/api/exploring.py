"""The part of the facade that makes logs: a designed sweep over prompts and arms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.api.asked import Asked
from planner.api.endpoints import LAB
from planner.api.executing import Executing, waited_for
from planner.api.recommending import each
from planner.core import Budget, ModelCard
from planner.core.arguments import check_budget, check_whole, names, prompts_of
from planner.errors import InvalidInput
from planner.policy.chat import Described

if TYPE_CHECKING:
    from planner.core import Endpoint
    from planner.execution.explore import Design, Question, SweepReport
    from planner.execution.runner import Runner

AUTO = "auto"
MOST_GENERATORS = 4
"""A server of more models is not swept whole unless its models are named."""
Progress = Callable[[float, float | None, str | None], None]


class Exploring(Executing):
    """Draws samples, revisions and searches of many prompts, and logs them to be fitted on."""

    def explore(
        self,
        prompts: Iterable[Described],
        *,
        endpoint: str | Endpoint | None = None,
        generators: Sequence[str] = (),
        verifier: str | None = AUTO,
        revisers: Sequence[str] = (),
        searches: Sequence[str] | None = None,
        total: Budget | None = None,
        rollouts: int = 0,
        extract: str | None = None,
        grade: str | None = None,
        verifiers: Mapping[str, Any] | None = None,
        max_concurrency: int | None = None,
        progress: Progress | None = None,
        **design: Any,  # noqa: ANN401 - of `planner.execution.explore.Design`
    ) -> SweepReport:
        """Run a designed sweep over prompts at an endpoint, and log it; what is logged already is not done again.

        Samples come first, a little of every generator on every prompt; then whole curves of the cheapest one, chains
        of the revisers, and tree searches where samples are neither all right nor all wrong.

        prompts: as for `run_batch`; answers are graded by their references, those that are logged ungraded as well.
        generators: default all that are served, the cheapest first by their model cards. verifier: default the one that
        is served, None for none. revisers: default, where no generator is named, those whose model card says how many
        attempts they bear. searches: default beam_search where the verifier scores steps. total: ceilings of the whole
        sweep, earlier parts of it included. rollouts: so many from each step of some answers, for labels of steps.
        design: samples, other_samples, chains, depth, tree_sizes, settings (temperature, max_tokens) and seed.
        endpoint, verifiers: see `running`.

        Raises InvalidInput where something is not known, EndpointError where run after run fails; what was done is
        logged in any case.
        """
        asked = each(prompts_of(prompts), Asked.of)
        check_budget("total", total)
        check_whole("rollouts", rollouts, 0)
        self._know_the_lab(endpoint)
        chosen = {
            "generators": names("generators", generators),
            "verifier": verifier,
            "revisers": names("revisers", revisers),
            "searches": None if searches is None else names("searches", searches),
        }

        async def sweep() -> SweepReport:
            from planner.execution.explore import Sweep  # noqa: PLC0415 - nothing of it is needed to plan

            opened = self.running(endpoint, verifiers=verifiers, max_concurrency=max_concurrency)
            async with opened as running:
                made = await _design(running.runner, chosen, design)
                questions = [_question(one, extract, grade) for one in asked]
                job = Sweep(made, questions, running.runner, total=total, rollouts=rollouts)
                job.report = progress or job.report
                return await job.run()

        return waited_for(sweep())

    def _know_the_lab(self, endpoint: str | Endpoint | None) -> None:
        """The lab's models need no import of their cards."""
        named = self.settings.endpoint_url if endpoint is None else endpoint
        if named != LAB:
            return
        from importlib.resources import as_file, files  # noqa: PLC0415

        from planner.store.card_files import read_model_cards  # noqa: PLC0415

        known = {stored.card.name for stored in self.store.models() if stored.has_card}
        with as_file(files("planner.lab") / "logs" / "models.json") as path:
            self.store.save_models([card for card in read_model_cards(path) if card.name not in known])


async def _design(runner: Runner, chosen: Mapping[str, Any], options: Mapping[str, Any]) -> Design:
    """The design with what the caller left to the endpoint and the model cards."""
    from planner.execution.explore import Design, by_price  # noqa: PLC0415

    unknown = options.keys() - set(Design.__dataclass_fields__)
    if unknown:
        raise InvalidInput(f"a sweep has no {min(unknown)!r}: there are {', '.join(Design.__dataclass_fields__)}")
    cards = runner.cards
    served = await _served(runner, chosen)
    verifier = chosen["verifier"]
    if verifier == AUTO:
        verifier = _only_verifier(served, runner)
    named = chosen["generators"] or chosen["revisers"]
    revisers = chosen["revisers"] if named else [one for one in served if _bears_attempts(cards.get(one))]
    others = [one for one in served if one != verifier and one not in revisers and not _verifies(cards.get(one))]
    generators = chosen["generators"] if named else others
    if not named and len(generators) > MOST_GENERATORS:
        raise InvalidInput(
            f"{runner.endpoint.name} serves {len(generators)} models: name those to draw from with --generator, "
            f"such as {', '.join(generators[:3])}"
        )
    searches = chosen["searches"]
    if searches is None:
        card = cards.get(verifier or "")
        searches = ("beam_search",) if card is not None and card.kind == "prm" else ()
    return Design(
        generators=tuple(by_price(generators, cards)),
        verifier=verifier,
        revisers=tuple(revisers),
        searches=tuple(searches),
        **options,
    )


async def _served(runner: Runner, chosen: Mapping[str, Any]) -> Sequence[str]:
    """Models of the endpoint, where something is to be found out from them."""
    if (chosen["generators"] or chosen["revisers"]) and chosen["verifier"] != AUTO:
        return ()
    return await runner.endpoint.models()


def _only_verifier(served: Sequence[str], runner: Runner) -> str | None:
    """The one verifier that is served or configured; None where there is none or more than one."""
    from planner.execution.routed import RoutedEndpoint  # noqa: PLC0415

    configured = runner.endpoint.verifiers if isinstance(runner.endpoint, RoutedEndpoint) else {}
    found = [one for one in served if _verifies(runner.cards.get(one)) or one in configured]
    return found[0] if len(found) == 1 else None


def _verifies(card: ModelCard | None) -> bool:
    return card is not None and card.kind != "generator"


def _bears_attempts(card: ModelCard | None) -> bool:
    return card is not None and card.revision_context_attempts is not None


def _question(asked: Asked, extract: str | None, grade: str | None) -> Question:
    from planner.execution.explore import Question  # noqa: PLC0415

    given = asked.input
    return Question(
        prompt=given.text,
        prompt_id=given.id,
        messages=asked.messages,
        reference=asked.reference,
        dataset=given.dataset,
        metadata=given.metadata,
        extract=extract,
        grade=grade,
    )
