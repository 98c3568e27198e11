"""Learns a session's answer model and plans from logged pools, by replay (METHODS 5b)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.core import Unit
from planner.curves.cascade_draws import Source
from planner.curves.logs import Floats, Logs
from planner.policy.adaptive.answers import AnswerModel, Evidence, fit_answers
from planner.policy.adaptive.draws import lattice
from planner.policy.adaptive.logistic import Doubles
from planner.policy.adaptive.offers import Tilt
from planner.policy.adaptive.plan import Costed, Plan
from planner.policy.adaptive.plans import Carried, Search, carry
from planner.policy.adaptive.pools import Places, choose_pools
from planner.policy.adaptive.replays import Replays, pool_rates, replay_pools, replayable
from planner.policy.adaptive.seen import Judged, Seen
from planner.policy.adaptive.votes import is_plain_vote, vote_plans
from planner.policy.folds import fold_of_prompts
from planner.policy.frontier import mixture_hull

FEWEST_PROMPTS = 50
"""On fewer prompts a session learns nothing: it is the cascade."""
MOST_PROMPTS = 1500
REPLAYED_DRAWS = 100_000
MOST_ORDERS = 24
RIDGE = 10.0
EVIDENCE_REPLAYS, STATES_A_NODE = 3000, 200
PRICES = np.geomspace(2e-4, 0.2, 12)
"""Accuracy that the cheapest draw must bring."""
PATIENT = (0.9, 0.95, 0.98, 0.995)
"""How sure one is before drawing ends where more may be spent than the best plan costs: its draws, one threshold for
all. The thresholds of the best plan on some hundred prompts are too low for others, as those of dearer ones are not."""
N_CEILINGS = 6


@dataclass(frozen=True)
class Learned:
    """What was learned from some prompts.

    priced: by unit, for each of `PRICES` the place in `plans`; patient: by unit, places of what to follow with more to
    spend, by rising cost. tilt: what the text tells of the plans, None for nothing. use: (4, 2K) ones, and
    mean prompt, completion and verifier tokens of every kind of draw. rates: by unit (4, K), see `pool_rates`.
    """

    where: Places
    model: AnswerModel
    plans: tuple[Costed, ...]
    priced: Mapping[Unit, tuple[int, ...]]
    patient: Mapping[Unit, tuple[int, ...]]
    tilt: Tilt | None
    use: Floats
    rates: Mapping[Unit, Floats]


def learn(
    logs: Logs, laid: Source, prompts: NDArray[np.intp], *, seed: int, foreseen: Floats | None = None
) -> Learned | None:
    """Learn from `prompts` alone; None where too little of them can be replayed.

    foreseen: (P,) pass rates of the logs' prompts as foreseen from text out of fold, NaN where unknown.
    """
    where = choose_pools(logs, laid, prompts)
    if where is None:
        return None
    prompts = prompts[replayable(laid, where.places, where.pools)[prompts]]
    if len(prompts) < FEWEST_PROMPTS:
        return None
    rng = np.random.default_rng([seed, 0xADA])
    if len(prompts) > MOST_PROMPTS:
        prompts = np.sort(rng.choice(prompts, MOST_PROMPTS, replace=False))
    replays = lay_out(logs, laid, where, prompts, seed=seed)
    half = fold_of_prompts(logs.prompts.take(prompts), 2, seed)[np.searchsorted(prompts, replays.prompt)]
    judged = [Judged(_model(replays.take(half != h), rng), np.flatnonzero(half == h)) for h in (0, 1)]
    seen = Seen(replays, judged)
    plain = is_plain_vote(where.pools)
    plans, priced = _votes(seen) if plain else _plans(Search(seen), replays)
    carried = [carry(plan, seen) for plan in plans]
    patient = {} if plain else _patient(plans, carried, priced, seen)
    # Where answers are scored, or better generators can be asked, the draws tell so much that the text adds nothing.
    tilt = _tilt(carried, replays, foreseen[prompts]) if plain and foreseen is not None else None
    costed = tuple(_costed(plan, one, replays) for plan, one in zip(plans, carried, strict=True))
    return Learned(
        where, _model(replays, rng), costed, priced, patient, tilt,
        _use(replays), pool_rates(logs, laid, where.places, where.pools),
    )  # fmt: skip


def lay_out(logs: Logs, laid: Source, where: Places, prompts: NDArray[np.intp], *, seed: int) -> Replays:
    """As many replays of each prompt as a fit can wait for."""
    n_draws = sum(pool.most_chains * pool.most_attempts for pool in where.pools)
    n_orders = int(np.clip(REPLAYED_DRAWS // (n_draws * len(prompts)), 1, MOST_ORDERS))
    return replay_pools(logs, laid, where.places, where.pools, prompts, n_orders=n_orders, seed=seed)


def _model(replays: Replays, rng: np.random.Generator) -> AnswerModel:
    some = replays.take(_some(rng, len(replays), EVIDENCE_REPLAYS))
    evidence = Evidence.fit(some.drawn, some.right, len(replays.pools), ridge=RIDGE)
    states, right = [], []
    for node in lattice(replays.pools)[1:]:
        some = replays.take(_some(rng, len(replays), STATES_A_NODE))
        states.append(some.state(some.columns(node)))
        right.append(some.right)
    return fit_answers(evidence, states, right, ridge=RIDGE)


def _some(rng: np.random.Generator, n: int, most: int) -> NDArray[np.intp]:
    return np.sort(rng.choice(n, min(n, most), replace=False))


def _plans(search: Search, replays: Replays) -> tuple[list[Plan], dict[Unit, tuple[int, ...]]]:
    """Best plans for a range of prices, and under ceilings at next to no price, in every unit; every one once."""
    places: dict[Plan, int] = {}

    def place(plan: Plan) -> int:
        return places.setdefault(plan, len(places))

    priced: dict[Unit, tuple[int, ...]] = {}
    for unit, mean in _paid(replays).items():
        cost, least = replays.cost[unit], float(mean[mean > 0].min())
        priced[unit] = tuple(place(search.best(cost, price / least)) for price in PRICES)
        for ceiling in np.geomspace(least, mean.sum(), N_CEILINGS + 1)[:-1]:
            under = search.best(cost, PRICES[0] / least, float(ceiling))
            if under.draws:
                place(under)
    return list(places), priced


def _paid(replays: Replays) -> dict[Unit, Doubles]:
    """(S,) mean cost of every slot, by unit; a unit in which all draws are free has no prices."""
    means = {unit: cost.mean(axis=0) for unit, cost in replays.cost.items()}
    return {unit: mean for unit, mean in means.items() if (mean > 0).any()}


def _votes(seen: Seen) -> tuple[list[Plan], dict[Unit, tuple[int, ...]]]:
    """Plans of a plain vote, and the best of them for a range of prices in every unit."""
    plans = vote_plans(seen.replays.pools[0].most_chains)
    carried = [carry(plan, seen) for plan in plans]
    grade = np.array([one.grade[-1].mean() for one in carried])
    priced: dict[Unit, tuple[int, ...]] = {}
    for unit, mean in _paid(seen.replays).items():
        spent = np.array([one.cost(seen.replays.cost[unit])[-1].mean() for one in carried])
        least = float(mean[mean > 0].min())
        priced[unit] = tuple(int((grade - price / least * spent).argmax()) for price in PRICES)
    return plans, priced


def _patient(
    plans: list[Plan], carried: list[Carried], priced: Mapping[Unit, tuple[int, ...]], seen: Seen
) -> dict[Unit, tuple[int, ...]]:
    """Plans of the best plan's draws that are surer before they end; they are put behind the others."""
    patient: dict[Unit, tuple[int, ...]] = {}
    for unit, places in priced.items():
        cost, distinct = seen.replays.cost[unit], list(dict.fromkeys(places))
        spent = [float(carried[i].cost(cost)[-1].mean()) for i in distinct]
        best = distinct[mixture_hull(spent, [float(carried[i].grade[-1].mean()) for i in distinct]).indices[-1]]
        draws, found = plans[best].draws, []
        for sure in PATIENT:
            plan = Plan(draws, (*[sure] * (len(draws) - 1), 0.0))
            if plan not in plans:
                plans.append(plan)
                carried.append(carry(plan, seen))
            found.append(plans.index(plan))
        patient[unit] = tuple(found)
    return patient


def _tilt(carried: list[Carried], replays: Replays, foreseen: Floats) -> Tilt | None:
    n = len(foreseen)

    def by_prompt(values: list[Doubles]) -> Doubles:
        return np.stack([value.reshape(n, -1).mean(axis=1) for value in values], axis=1)

    cost = {unit: by_prompt([one.cost(values)[-1] for one in carried]) for unit, values in replays.cost.items()}
    return Tilt.fit(foreseen, by_prompt([one.grade[-1] for one in carried]), cost)


def _costed(plan: Plan, carried: Carried, replays: Replays) -> Costed:
    cost: dict[Unit, Doubles] = {unit: carried.cost(values).mean(axis=1) for unit, values in replays.cost.items()}
    return Costed(plan, carried.grade.mean(axis=1), cost)


def _use(replays: Replays) -> Floats:
    """(4, 2K) by kind of draw: a chain's first attempt, and the mean of later ones."""
    kinds = np.array([2 * slot.pool + (slot.attempt > 0) for slot in replays.slots])
    columns = [replays.use[:, kinds == kind] for kind in range(2 * len(replays.pools))]
    return np.stack([part.mean(axis=1) if part.size else np.zeros(4, np.float32) for part in columns], axis=1)
