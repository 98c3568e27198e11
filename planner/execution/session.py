"""Probe, then plan: one prompt's budget spent draw by draw, each decided on what all before it brought.

After every draw the answers so far are pooled into the chance that the best of them is right. Drawing ends where that
is sure enough for the price of the next draw, as learned from logged pools; where cascades did as well on prompts held
out, or too little was logged to tell, the recommended arm is carried out as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from planner.core import Arm, Budget, Recommendation, Sample, Unit
from planner.curves.logs import Floats
from planner.curves.stop import vote_confidence
from planner.difficulty import Belief
from planner.errors import InvalidInput
from planner.policy import Policy, PromptInput
from planner.policy.adaptive.draws import Draw, Drawable, pool_of, revises
from planner.policy.adaptive.model import Adaptive, Best, Followed, Seat
from planner.strategies.carrying_out import carry_out
from planner.strategies.drawing import answers, as_sample, completions, judged
from planner.strategies.parameters import Settings
from planner.strategies.pool import Interrupted, Pool, Replies, Requests, Result, Search
from planner.strategies.selections import select
from planner.strategies.task import Task

SEARCH = "session"
_PARTS = ("prompt_tokens", "completion_tokens", "verifier_tokens")


def session(
    task: Task, policy: Policy, asked: PromptInput, budget: Budget, *, plan: Recommendation | None = None
) -> Generator[Requests, Replies, Result]:
    """Answer one prompt within `budget`: requests come out, replies go in, and the result is returned.

    The result's arm is of search `session`; its `params` tell what was done: `probes`, samples that were drawn before
    the rest was planned, and `stages`, one {generator, verifier, draw, n} for each run of like draws; `chance`, that
    the answer is right as far as the draws tell.
    plan: the recommendation to begin with, where the caller has one already; it is carried out as it is where no
    session was learned that is better.

    Raises InvalidInput, at once, for a budget that nothing fits.
    """
    recommended = plan or policy.recommend([asked], budget)[0]
    if isinstance(recommended, InvalidInput):
        raise recommended
    learned = policy.sessions
    if learned is None or recommended.declined or recommended.target_accuracy is not None:
        return _as_planned(carry_out(recommended.arm, task))
    belief = policy.believe([asked])
    factors = _factors(policy, belief, learned.pools) if budget.ceilings else None
    followed = learned.follow(budget, asked.draw(task.seed), factors, float(belief.pass_rate[0]))
    if followed is None:
        return _as_planned(carry_out(recommended.arm, task))
    return _Session(task, learned, followed, budget, factors).run()


def _as_planned(search: Generator[Requests, Replies, Result]) -> Generator[Requests, Replies, Result]:
    result = yield from search
    return replace(result, arm=session_arm(result.arm, result.samples, probes=0))


def _factors(policy: Policy, belief: Belief, pools: Sequence[Drawable]) -> Floats:
    """(4, K) how long prompt and answers will be, relative to the mean, by pool."""
    lengths = policy.budget_model.costs_.lengths
    factors = lengths.factors(belief)[0]
    known = {name: place for place, name in enumerate(lengths.generators)}
    columns = [
        factors[:, known[pool.generator]] if pool.generator in known else np.ones(4, np.float32) for pool in pools
    ]
    return np.stack(columns, axis=1)


@dataclass
class _Session:
    """One session under way. made: the kind of each draw, beside the pool's samples."""

    task: Task
    learned: Adaptive
    followed: Followed
    budget: Budget
    factors: Floats | None
    pool: Pool = field(default_factory=Pool)
    made: list[Draw] = field(default_factory=list)

    def run(self) -> Generator[Requests, Replies, Result]:
        interrupted = None
        try:
            yield from self._draw_all()
        except Interrupted as stop:
            interrupted = str(stop) or "interrupted"
        samples, best = tuple(self.pool.samples), self._best()
        return Result(self._arm(best), samples, select("first", samples) if best is None else best.place, interrupted)

    def _draw_all(self) -> Search:
        plan = self.followed.plan
        for draw, stop_at in zip(plan.draws, plan.stop_at, strict=True):
            if not self._fits(draw) or (revises(draw) and pool_of(draw) not in map(pool_of, self.made)):
                continue
            yield from self._draw(draw)
            best = self._best()
            if best is not None and (self._sure_by_votes() if plan.by_votes else best.chance) >= stop_at:
                return

    def _draw(self, draw: Draw) -> Search:
        """One sample, or one more attempt of a pool's latest chain, and its score."""
        drawable = self.learned.pools[pool_of(draw)]
        earlier = self._chain(draw) if revises(draw) else []
        texts = tuple(sample.text for sample in earlier if sample.text)
        request = answers(
            self.task, drawable.generator, place=("session", len(self.made)), settings=_settings(drawable),
            messages=self.task.revision(drawable.generator, texts) if texts else None,
        )  # fmt: skip
        (reply,) = yield (request,)
        chain = earlier[-1].chain if earlier else 1 + max((s.chain for s in self.pool.samples), default=-1)
        new = [
            as_sample(self.task, one, generator=drawable.generator, stage=0, chain=chain, attempt=len(earlier))
            for one in completions(reply)[:1]
        ]
        self.made += [draw] * len(new)
        yield from judged(self.task, self.pool, new, drawable.verifier)

    def _chain(self, draw: Draw) -> list[Sample]:
        """Attempts of the latest chain of a draw's pool."""
        own = [sample for made, sample in self._seats() if pool_of(made) == pool_of(draw)]
        return [sample for sample in own if sample.chain == own[-1].chain]

    def _seats(self) -> list[tuple[Draw, Sample]]:
        return list(zip(self.made, self.pool.samples, strict=False))

    def _best(self) -> Best | None:
        seats = [Seat(draw, sample) for draw, sample in self._seats()]
        return self.learned.best(seats) if seats else None

    def _sure_by_votes(self) -> float:
        given = Counter(sample.answer for sample in self.pool.samples if sample.answer is not None)
        first, second, *_ = *(count for _, count in given.most_common(2)), 0, 0
        return vote_confidence(first, second)

    def _fits(self, draw: Draw) -> bool:
        """Whether the draw is expected to fit what is left under every ceiling."""
        for unit, ceiling in self.budget.ceilings.items():
            spent = sum(self._cost(made, sample, unit) for made, sample in self._seats())
            if spent + self._expected(draw, unit) > ceiling:
                return False
        return True

    def _expected(self, draw: Draw, unit: Unit) -> float:
        """Cost of a draw: as its kind cost so far, else as forecast, in proportion to how the others turned out."""
        spent = [(made, self._cost(made, sample, unit)) for made, sample in self._seats()]
        own = [cost for made, cost in spent if made == draw]
        if own:
            return sum(own) / len(own)
        forecast = self.learned.costs(unit, self.factors)
        foreseen = sum(float(forecast[made]) for made, _ in spent)
        return float(forecast[draw]) * (sum(cost for _, cost in spent) / foreseen if foreseen else 1.0)

    def _cost(self, draw: Draw, sample: Sample, unit: Unit) -> float:
        tokens = [getattr(sample, part) for part in _PARTS]
        if sample.verifier is None:
            tokens[-1] = 0
        if any(count is None for count in tokens):
            return float(self.learned.costs(unit, self.factors)[draw])
        return float(self.learned.rates[unit][:, pool_of(draw)] @ np.array([1.0, *tokens]))

    def _arm(self, best: Best | None) -> Arm:
        first = self.learned.pools[pool_of((self.made or list(self.followed.plan.draws))[0])]
        scored = any(pool.verifier is not None for pool in self.learned.pools)
        begun = Arm(
            generator=first.generator,
            verifier=first.verifier,
            selection="weighted_vote" if scored else "majority_vote",
        )
        arm = session_arm(begun, self.pool.samples, probes=min(1, len(self.made)))
        chance = None if best is None else round(best.chance, 6)
        return arm.model_copy(update={"params": {**arm.params, "chance": chance}})


def _settings(pool: Drawable) -> Settings:
    known = {name: pool.settings[name] for name in Settings.model_fields if name in pool.settings}
    return Settings.model_validate(known)


def session_arm(first: Arm, samples: Sequence[Sample], *, probes: int) -> Arm:
    """What a session that began as `first` came to be; it is logged under this name."""
    return Arm(
        generator=first.generator,
        verifier=first.verifier,
        search=SEARCH,
        selection=first.selection,
        breadth=max(len(samples), 1),
        params={"probes": probes, "stages": stages_of(samples)},
    )


def stages_of(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Runs of like draws, in order."""
    stages: list[dict[str, object]] = []
    counts: list[int] = []
    for sample in samples:
        kind: dict[str, object] = {
            "generator": sample.generator,
            "verifier": sample.verifier,
            "draw": "attempts" if sample.attempt else "samples",
        }
        if stages and stages[-1] == kind:
            counts[-1] += 1
        else:
            stages.append(kind)
            counts.append(1)
    return [kind | {"n": n} for kind, n in zip(stages, counts, strict=True)]
