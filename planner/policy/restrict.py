"""Which arms may be chosen: those named by the caller, and those whose worst case fits every ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from planner.budget import Forecasts
from planner.core import Arm, Budget, ModelCard, Unit
from planner.errors import InfeasibleBudget, InvalidInput, UnknownModel, UnknownStrategy

Mask = NDArray[np.bool_]
SLACK = 1 + 1e-6  # forecasts are float32: a cost equal to its ceiling fits
_CARD_FIELDS: dict[Unit, tuple[str, ...]] = {
    "flops": ("active_params",),
    "usd": ("usd_per_million_prompt_tokens", "usd_per_million_completion_tokens"),
    "latency_seconds": ("tokens_per_second",),
}
_FIT_AGAIN = (
    ", then run `planner fit` (and `planner policies promote ID`, where the fit keeps the policy that there was)"
)


class Restriction(NamedTuple):
    """Names that an arm must bear; an empty tuple allows all. Every generator of an arm must be among `generators`."""

    generators: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    selections: tuple[str, ...] = ()

    def mask(self, arms: Sequence[Arm]) -> Mask:
        """(A,) arms that are allowed. Raises UnknownModel, UnknownStrategy or InvalidInput, naming what there is."""
        known = {name for arm in arms for name in arm.generators}
        _check("generator", self.generators, known, UnknownModel)
        _check("search", self.searches, {arm.search for arm in arms}, UnknownStrategy)
        _check("selection", self.selections, {arm.selection for arm in arms}, UnknownStrategy)
        mask = np.array([self._allows(arm) for arm in arms], dtype=bool)
        if not mask.any():
            raise InvalidInput("no arm in the logs has these generators, searches and selections together: allow more")
        return mask

    def check(self, arm: Arm) -> None:
        """Raise InvalidInput for a given arm that does not bear these names, naming both."""
        for what, name, names in self._others(arm):
            raise InvalidInput(
                f"the arm that is given has the {what} {name!r}, but {' or '.join(map(repr, names))} is asked for: "
                "leave one of the two out"
            )

    def _allows(self, arm: Arm) -> bool:
        return not any(self._others(arm))

    def _others(self, arm: Arm) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """What an arm bears that is not among the names: what it is, its name, and these."""
        for what, names, own in (
            ("generator", self.generators, arm.generators),
            ("search", self.searches, (arm.search,)),
            ("selection", self.selections, (arm.selection,)),
        ):
            if names:
                yield from ((what, name, names) for name in own if name not in names)


def _check(what: str, names: tuple[str, ...], known: set[str], error: type[InvalidInput]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise error(f"no arm in the fitted logs has the {what} {unknown[0]!r}; there are: {', '.join(sorted(known))}")


def fitting(forecasts: Forecasts, mask: Mask, ceilings: Mapping[Unit, float]) -> Mask:
    """(P, A) arms of `mask` whose worst cost is known and within every ceiling."""
    allowed = mask
    for unit, ceiling in ceilings.items():
        allowed = allowed & (forecasts.cost(unit, worst=True) <= ceiling * SLACK)
    return allowed if ceilings else np.broadcast_to(mask, forecasts.accuracy.shape)


def price_unit(budget: Budget | None, forecasts: Forecasts) -> Unit:
    """What "cheaper" means: the unit of the mean budget, else of the first ceiling, else one that is known.

    USD or FLOPs where they are known for all arms, tokens where they are for any, else generations.
    """
    if budget is not None and budget.mean is not None:
        return budget.mean[0]
    if budget is not None and budget.ceilings:
        return next(iter(budget.ceilings))
    for unit in ("usd", "flops"):
        if np.isfinite(forecasts.cost(unit)[:1]).all():
            return unit
    return "tokens" if np.isfinite(forecasts.cost("tokens")[:1]).any() else "generations"


def why_none_fits(
    forecasts: Forecasts, row: int, mask: Mask, ceilings: Mapping[Unit, float], models: Mapping[str, ModelCard]
) -> InfeasibleBudget:
    """The error for a prompt that no arm fits: names the least budget that one would fit, or the missing field."""
    worst = {unit: forecasts.cost(unit, worst=True)[row] for unit in ceilings}
    for unit, costs in worst.items():
        if not np.isfinite(costs[mask]).any():
            return unknown_cost(forecasts.arms, mask, unit, models)
    excess = np.max([worst[unit] / ceiling for unit, ceiling in ceilings.items()], axis=0)
    least = int(np.nanargmin(np.where(mask & np.isfinite(excess), excess, np.inf)))
    if not np.isfinite(excess[least]):
        return InfeasibleBudget("no arm has a known cost in every unit of this budget: complete the model cards")
    asked = ", ".join(f"max_{unit}={ceiling:.4g}" for unit, ceiling in ceilings.items())
    least_of = {unit: rounded_up(max(ceilings[unit], costs[least])) for unit, costs in worst.items()}
    needed = ", ".join(f"max_{unit}={value:.4g}" for unit, value in least_of.items())
    label = forecasts.arms[least].label
    return InfeasibleBudget(f"no arm fits {asked}; the least budget that one would fit is {needed} ({label})")


def unknown_cost(
    arms: Sequence[Arm], mask: Mask, unit: Unit, models: Mapping[str, ModelCard], *, fitted: bool = True
) -> InfeasibleBudget:
    """The error where no allowed arm has a known cost in `unit`: names the model card's field that is missing.

    `fitted`: whether it was asked of a policy, which has to be fitted again with the field.
    """
    fields = _CARD_FIELDS.get(unit, ())
    used = [arm for arm, allowed in zip(arms, mask, strict=True) if allowed]
    for name in dict.fromkeys(name for arm in used for name in (*arm.generators, arm.verifier) if name):
        missing = [field for field in fields if getattr(models.get(name), field, None) is None]
        if missing:
            return InfeasibleBudget(
                f"the cost in {unit} is unknown: the model card of {name!r} lacks {' and '.join(missing)}; "
                "give it with `planner models import FILE`" + (_FIT_AGAIN if fitted else "")
            )
    return InfeasibleBudget(f"the cost in {unit} is unknown for every allowed arm: log token counts with the runs")


def raise_mean_too_low(unit: Unit, value: float, least: float) -> NoReturn:
    """Raise the error for an average over traffic that even the cheapest arms exceed."""
    error = InfeasibleBudget(
        f"no choice of arms keeps mean_{unit}={value:.4g}; the least that the cheapest arms need is "
        f"mean_{unit}={rounded_up(least):.4g}"
    )
    error.least = least
    raise error


def rounded_up(value: float) -> float:
    """Up to four digits, so that the figure printed does fit, with the slack that `fitting` gives."""
    if not np.isfinite(value) or value <= 0:
        return float(value)
    step = 10.0 ** (np.floor(np.log10(value)) - 3)
    return float(np.ceil(value / SLACK / step) * step)
