"""The policy: a fitted predictor and budget model, and the rules by which an arm is chosen for a prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from planner.budget import BudgetModel, Forecasts
from planner.core import Arm, Budget, ModelCard, Recommendation, Unit
from planner.curves.logs import Floats
from planner.difficulty.belief import SOURCES
from planner.errors import InvalidInput
from planner.policy.answer import Decisions, given, in_bulk, recommendations
from planner.policy.batch import allocate
from planner.policy.between import Place, place_of
from planner.policy.choose import Options, aim, cautious, defaulted, worth
from planner.policy.evidence import Evidence
from planner.policy.exchange import NO_PRICE, mixed, vertices
from planner.policy.noise import PairedNoise
from planner.policy.prompt import PromptInput, draws
from planner.policy.quick_choice import Allowed, QuickChoice
from planner.policy.restrict import SLACK, Mask, Restriction, fitting, price_unit, unknown_cost, why_none_fits
from planner.policy.traffic import LoggedTraffic

if TYPE_CHECKING:
    from planner.difficulty import Belief, DifficultyPredictor
    from planner.policy.adaptive.model import Adaptive

CHUNK = 256
"""Prompts planned at once: arrays of all arms for so many stay in a core's cache, and who else waits for the
interpreter, which compiled loops hold, has it after a millisecond or two."""
ANYTHING = Restriction()


@dataclass(frozen=True)
class Policy:
    """Chooses an arm for each prompt.

    sample, sample_ids, sample_hashes: beliefs of some logged prompts, out of fold, from which exchange rates are
    solved; their ids, and the SHA-256 of their texts.
    logged_accuracy: (1 + B, A) mean outcome over all logged prompts, then over those believed to be of each bin;
    forecasts take the place of what is not logged.
    adaptive: what sessions decide by, or what reads it; None where too little is logged to learn it, and sessions are
    as recommended.
    """

    predictor: DifficultyPredictor
    budget_model: BudgetModel
    sample: Belief
    sample_ids: tuple[str, ...]
    logged_accuracy: Floats
    noise: PairedNoise
    evidence: Evidence
    models: Mapping[str, ModelCard]
    sample_hashes: tuple[str, ...] = ()
    policy_id: str = "unsaved"
    adaptive: Adaptive | Callable[[], Adaptive] | None = None
    _masks: dict[Restriction, Mask] = field(default_factory=dict, repr=False, compare=False)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm that may be chosen."""
        return tuple(self.budget_model.arms_)

    @cached_property
    def sessions(self) -> Adaptive | None:
        """What sessions decide by, read when it is first asked for: to plan takes none of it."""
        return self.adaptive() if callable(self.adaptive) else self.adaptive

    def warm(self) -> None:
        """Read now what the first session would else wait for."""
        _ = self.sessions

    @cached_property
    def _quick(self) -> QuickChoice | None:
        return QuickChoice.of(self.noise)

    @cached_property
    def traffic(self) -> LoggedTraffic:
        """Traffic like the logged prompts."""
        return LoggedTraffic(self.budget_model, self.sample, self.logged_accuracy, self.noise, self.models)

    def mask(self, restriction: Restriction) -> Mask:
        """(A,) arms that a restriction allows; see `Restriction.mask` for its errors."""
        mask = self._masks.get(restriction)
        if mask is None:
            mask = self._masks[restriction] = restriction.mask(self.arms)
        return mask

    def believe(self, prompts: Sequence[PromptInput]) -> Belief:
        """What is believed of the prompts' difficulty, from their texts and probes."""
        belief = self.predictor.believe(
            [p.hashed or p.text for p in prompts], [p.dataset for p in prompts], [p.metadata for p in prompts]
        )
        # What the predictor was trained on it is too sure of: taken as unseen, as an average over traffic takes them.
        logged = [(row, place) for row, p in enumerate(prompts) if (place := self._place_of(p)) is not None]
        if logged:
            rows, places = zip(*logged, strict=True)
            belief = belief.replaced(rows, self.sample.take(places))
        if any(p.probes for p in prompts):
            belief = self.predictor.sharpen(belief, [p.probes for p in prompts])
        return belief

    def _place_of(self, prompt: PromptInput) -> int | None:
        """Where in the sample the prompt stands, if it is logged."""
        by_text, by_id = self._places
        place = by_text.get(prompt.digest)
        return by_id.get(prompt.prompt_id) if place is None and prompt.prompt_id else place

    @cached_property
    def _places(self) -> tuple[dict[str, int], dict[str, int]]:
        """Places in the sample by the hash of the text; by id where no text is known, since ids may be anybody's."""
        hashes = self.sample_hashes or ("",) * len(self.sample_ids)
        by_text = {text: place for place, text in enumerate(hashes) if text}
        return by_text, {name: place for place, name in enumerate(self.sample_ids) if not hashes[place]}

    def recommend(
        self,
        prompts: Sequence[PromptInput],
        budget: Budget | None = None,
        *,
        target_accuracy: float | None = None,
        arm: Arm | None = None,
        restriction: Restriction = ANYTHING,
        seed: int = 0,
    ) -> list[Recommendation | InvalidInput]:
        """One answer a prompt, in order; a prompt that no arm fits gets its error as a value.

        `arm` forces an arm and forecasts it; one of another breadth than the fitted ones, from its neighbours.
        Raises InvalidInput where no prompt could be answered: nothing is limited and nothing aimed at, an unknown
        name, a mean budget below the cheapest arms.
        """
        if (budget is None or budget.is_empty) and target_accuracy is None and arm is None:
            raise InvalidInput("give a budget (a ceiling or an average) or a target accuracy")
        if target_accuracy is not None and not 0 < target_accuracy <= 1:
            raise InvalidInput(f"target accuracy must be above 0 and at most 1, got {target_accuracy}")
        place = None if arm is None or arm in self.arms else place_of(arm, self.arms)
        if place is not None:
            return self._placed(prompts, budget, target_accuracy, place)
        answers: list[Recommendation | InvalidInput] = []
        with in_bulk(len(prompts)):
            for first in range(0, len(prompts), CHUNK):
                chunk = prompts[first : first + CHUNK]
                belief = self.believe(chunk)
                forecasts = self.budget_model.forecast(belief)
                if arm is not None:
                    decisions = self._forced(forecasts, arm)
                else:
                    decisions = self.decide(forecasts, belief, budget, chunk, target_accuracy, restriction, seed)
                answers += recommendations(
                    chunk,
                    belief,
                    forecasts,
                    decisions,
                    budget,
                    target_accuracy,
                    self.policy_id,
                    partial(self._why_none_fits, forecasts, budget.ceilings if budget else {}, restriction),
                )
        return answers

    def allocate(
        self,
        prompts: Sequence[PromptInput],
        total: Budget,
        *,
        budget: Budget | None = None,
        restriction: Restriction = ANYTHING,
    ) -> list[Recommendation | InvalidInput]:
        """One answer a prompt, all expected costs together within `total` (its one ceiling, for the whole batch).

        `budget` may set ceilings of one prompt beside it. A prompt that no arm fits gets its error as a value.
        Raises InfeasibleBudget, naming the least total that would do.
        """
        if len(total.ceilings) != 1 or total.mean is not None or "latency_seconds" in total.ceilings:
            raise InvalidInput("a total budget is one of max_generations, max_tokens, max_flops and max_usd")
        if budget is not None and budget.mean is not None:
            raise InvalidInput("a batch has its total: give ceilings of one prompt beside it, not an average")
        unit, amount = next(iter(total.ceilings.items()))
        ceilings = budget.ceilings if budget else {}
        mask = self.mask(restriction)
        belief = self.believe(prompts)
        forecasts = self.budget_model.forecast(belief)
        options = Options.of(forecasts, belief.bins, fitting(forecasts, mask, ceilings), unit, self.noise)
        options = options.only(options.allowed & np.isfinite(options.price))
        options = cautious(options, self.traffic.accuracy, belief.source)
        declined = self._declined(belief)
        if declined.any():
            options = self._defaults(options, declined, None, mask)
        feasible = np.flatnonzero(options.allowed.any(axis=1))
        if not len(feasible) and not ceilings:
            raise unknown_cost(self.arms, mask, unit, self.models)
        arm = np.zeros(len(prompts), dtype=np.intp)
        arm[feasible] = allocate(options.take(feasible), unit, amount)
        ones = np.ones(len(prompts), dtype=np.float32)
        decisions = Decisions(
            arm, ones, np.asarray(options.allowed.any(axis=1)), declined, self.evidence.too_thin,
            worth(options, 0.0), unit, 0.0, None,
        )  # fmt: skip
        with in_bulk(len(prompts)):
            return recommendations(
                prompts, belief, forecasts, decisions, budget, None, self.policy_id,
                partial(self._why_none_fits, forecasts, ceilings or total.ceilings, restriction),
                total=f"a total of {amount:.4g} {unit}",
            )  # fmt: skip

    def decide(
        self,
        forecasts: Forecasts,
        belief: Belief,
        budget: Budget | None,
        prompts: Sequence[PromptInput] | None = None,
        target_accuracy: float | None = None,
        restriction: Restriction = ANYTHING,
        seed: int = 0,
    ) -> Decisions:
        """The choice for every forecast prompt, without the words."""
        ceilings = budget.ceilings if budget else {}
        unit, mask = price_unit(budget, forecasts), self.mask(restriction)
        rate = NO_PRICE if budget is None or budget.mean is None else self.traffic.rate(budget, restriction)
        declined = self._declined(belief)
        if self._quick is not None and target_accuracy is None and not np.count_nonzero(declined):
            hull = None if budget is None or budget.mean is None else self.traffic.hull(budget, restriction)
            choice, usual = Allowed(mask, ceilings, hull), self.traffic.accuracy
            low, high, ranking = self._quick.vertices(forecasts, belief, choice, unit, usual, rate)
            arm, propensity, _ = mixed(low, high, rate.share, partial(draws, prompts, seed))
            return Decisions(arm, propensity, high >= 0, declined, None, ranking, unit, rate.high, None)
        options = Options.of(forecasts, belief.bins, fitting(forecasts, mask, ceilings), unit, self.noise)
        if budget is not None and budget.mean is not None:
            known = options.allowed & np.isfinite(options.price)
            options = options.only(self.traffic.on_hull(known, budget, restriction))
        if np.count_nonzero(declined):
            options = self._defaults(options, declined, budget, mask)
        weighed = cautious(options, self.traffic.accuracy, belief.source)
        low, high, ranking = vertices(weighed, rate, declined)
        reached, lot = None, partial(draws, prompts, seed)
        if target_accuracy is None:
            arm, propensity, _ = mixed(low, high, rate.share, lot)
        else:
            # Nothing dearer than what the average over traffic allows, at either vertex: both may come to one arm.
            capped = rate.high > 0
            upper = aim(options, target_accuracy, high, capped=capped)
            lower = upper if low is high else aim(options, target_accuracy, low, capped=capped)
            arm, propensity, is_low = mixed(lower.arm, upper.arm, rate.share, lot)
            reached = np.where(is_low, lower.reached, upper.reached)
            if capped:
                allowed = np.where(is_low[:, None], lower.allowed, upper.allowed)
                ranking = worth(weighed.only(allowed), rate.high)
        feasible = np.asarray(options.allowed.any(axis=1))
        return Decisions(arm, propensity, feasible, declined, self.evidence.too_thin, ranking, unit, rate.high, reached)

    def _why_none_fits(
        self, forecasts: Forecasts, ceilings: Mapping[Unit, float], restriction: Restriction, row: int
    ) -> InvalidInput:
        return why_none_fits(forecasts, row, self.mask(restriction), ceilings, self.models)

    def _declined(self, belief: Belief) -> Mask:
        if self.evidence.too_thin:
            return np.ones(len(belief), dtype=bool)
        return np.asarray(~belief.in_distribution & (belief.source != SOURCES.index("probes")))

    def _defaults(self, options: Options, declined: Mask, budget: Budget | None, mask: Mask) -> Options:
        """Rows of `declined` prompts replaced by what the arms do on all logged prompts together."""
        allowed = options.allowed
        if budget is not None and budget.mean is not None:
            unit, value = budget.mean
            cost = np.where(mask, self.traffic.cost(unit), np.nan)
            # An average below every single arm's own is kept by the cheapest arms of each prompt: here by the cheapest.
            within = allowed & (cost <= max(value, np.nanmin(cost, initial=np.inf)) * SLACK)
            allowed = np.where(declined[:, None] & within.any(axis=1, keepdims=True), within, allowed)
        return defaulted(options, declined, allowed, self.traffic.accuracy, self.traffic.bins)

    def _placed(
        self, prompts: Sequence[PromptInput], budget: Budget | None, target_accuracy: float | None, place: Place
    ) -> list[Recommendation | InvalidInput]:
        lower = self.recommend(prompts, budget, target_accuracy=target_accuracy, arm=place.lower)
        upper = lower if place.upper == place.lower else self.recommend(prompts, budget, arm=place.upper)
        card = self.models.get(place.arm.generator)
        concurrency = None if card is None else card.max_concurrency
        placed: list[Recommendation | InvalidInput] = []
        for low, high in zip(lower, upper, strict=True):
            if not isinstance(low, Recommendation) or not isinstance(high, Recommendation):
                placed.append(low)
                continue
            forecast = place.forecast(low.forecast, high.forecast, concurrency)
            update = {"arm": place.arm, "forecast": forecast, "reason": given(forecast, budget, target_accuracy)}
            placed.append(low.model_copy(update=update))
        return placed

    def _forced(self, forecasts: Forecasts, arm: Arm) -> Decisions:
        if arm not in self.arms:
            raise InvalidInput(
                f"arm {arm.label!r} is not among the {len(self.arms)} fitted ones: "
                "log runs of it and run `planner fit`, or see `planner curves` for those there are"
            )
        n = len(forecasts)
        index = np.full(n, self.arms.index(arm), dtype=np.intp)
        ones = np.ones(n, dtype=bool)
        return Decisions(
            index, np.ones(n, np.float32), ones, ~ones, None, forecasts.accuracy,
            price_unit(None, forecasts), 0.0, None, forced=True,
        )  # fmt: skip
