"""Ceilings hold where a language model judges too: its verdicts are foreseen, paid for as written, and kept for."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_endpoint import ASKED, CARDS, Scripted

from planner.core import Arm, Budget, Completion, Generate, Message, ModelCard, Verdict, Verify
from planner.errors import InvalidInput
from planner.execution.driver import drive
from planner.execution.lengths import Judging
from planner.execution.meter import Meter
from planner.execution.routed import RoutedEndpoint
from planner.execution.verifiers import JudgeVerifier
from planner.strategies.carrying_out import carry_out
from planner.strategies.task import Task

JUDGE = ModelCard(
    name="critic", active_params=3e6, usd_per_million_prompt_tokens=1, usd_per_million_completion_tokens=10
)
JUDGED = CARDS | {"critic": JUDGE}
ARMS = {
    "sampling": Arm(generator="small", verifier="critic", selection="weighted_vote", breadth=40),
    "chains": Arm(generator="small", verifier="critic", selection="weighted_vote", breadth=6, depth=3),
    "beam_search": Arm(
        generator="small", verifier="critic", selection="weighted_vote", search="beam_search", breadth=8,
        params={"beam_width": 2, "max_steps": 4},
    ),
    "lookahead": Arm(
        generator="small", verifier="critic", selection="weighted_vote", search="lookahead", breadth=4,
        params={"beam_width": 2, "lookahead_steps": 1, "max_steps": 3},
    ),
    "rebase": Arm(
        generator="small", verifier="critic", selection="weighted_vote", search="rebase", breadth=6,
        params={"max_steps": 4},
    ),
    "tree_of_thoughts": Arm(
        generator="small", verifier="critic", selection="weighted_vote", search="tree_of_thoughts", breadth=8,
        params={"max_steps": 3},
    ),
    "mcts": Arm(
        generator="small", verifier="critic", selection="weighted_vote", search="mcts", breadth=6,
        params={"max_steps": 3},
    ),
}  # fmt: skip
UNITS = {"max_tokens": 6000, "max_flops": 3e10, "max_usd": 0.02, "max_generations": 20}


class World:
    """Generators and a judge of wild lengths; what every completion and every verdict cost is kept."""

    def __init__(self, unit: str, *, verdict_tokens: int, seed: int) -> None:
        self.unit, self.verdict_tokens, self.rng = unit, verdict_tokens, random.Random(seed)
        self.completions: list[float] = []
        self.verdicts: list[float] = []

    def reply(self, request: Generate, _number: int) -> tuple[Completion, ...]:
        judges = request.generator == "critic"
        most = min(request.max_tokens or 5000, self.verdict_tokens if judges else 5000)
        size = sum(len(message.content) for message in request.messages) + len(request.prefix)
        drawn = []
        for _ in range(request.n):
            tokens = min(most, int(self.rng.expovariate(1 / 150)) + 1)
            text = "Verdict: correct" if judges else "word " * min(tokens, 60) + f"\nAnswer: {self.rng.randint(0, 3)}"
            drawn.append(
                Completion(text, prompt_tokens=size // 4 + 1, completion_tokens=tokens, ended=self.rng.random() < 0.5)
            )
        (self.verdicts if judges else self.completions).extend(self._cost(one, judges=judges) for one in drawn)
        return tuple(drawn)

    def _cost(self, one: Completion, *, judges: bool) -> float:
        assert one.prompt_tokens is not None
        assert one.completion_tokens is not None
        tokens = one.prompt_tokens + one.completion_tokens
        usd = (one.prompt_tokens + (10 if judges else 3) * one.completion_tokens) / 1e6
        flops = (6e6 if judges else 2e6) * tokens
        return {"max_tokens": tokens, "max_flops": flops, "max_usd": usd, "max_generations": 1.0}[self.unit]


@settings(deadline=None)
@given(
    arm=st.sampled_from(sorted(ARMS)),
    unit=st.sampled_from(sorted(UNITS)),
    scale=st.sampled_from([0.1, 0.5, 1, 4]),
    verdict_tokens=st.sampled_from([40, 300, 1024]),
    told=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_a_ceiling_is_passed_by_one_completion_and_its_score_at_most(arm, unit, scale, verdict_tokens, told, seed):
    world = World(unit, verdict_tokens=verdict_tokens if told else 40, seed=seed)
    server = Scripted(world.reply)
    judge = JudgeVerifier(server, "critic", max_tokens=verdict_tokens)
    ceiling = UNITS[unit] * scale
    counting = Meter(
        Budget(**{unit: ceiling}),
        JUDGED,
        verified_by={"small": "critic"},
        judges={"critic": judge.judging} if told else {},
    )
    task = Task((Message("user", "How many of them are there? " * 5),), lambda text: text[-1:], lambda _text: True)
    asyncio.run(drive(carry_out(ARMS[arm], task), RoutedEndpoint(server, {"critic": judge}), counting))
    spent = counting.cost.in_unit(unit.removeprefix("max_"))
    if unit != "max_generations":
        assert spent == pytest.approx(sum(world.completions) + sum(world.verdicts))
    assert spent <= ceiling + max(world.completions, default=0) + max(world.verdicts, default=0)


def sampled(
    budget: Budget, reply, cards=JUDGED, *, verifier="critic", breadth=50, completion_tokens=200, **options
) -> tuple[Meter, int, int]:
    """The meter after a vote weighted by scores, samples that were drawn, and those of them that were scored."""
    server = Scripted(reply, **options)
    verifiers = {verifier: JudgeVerifier(server, verifier)} if cards[verifier].kind == "generator" else {}
    counting = Meter(budget, cards, completion_tokens=completion_tokens, verified_by={"small": verifier})
    arm = Arm(generator="small", verifier=verifier, selection="weighted_vote", breadth=breadth)
    task = Task((Message("user", "q " * 100),), lambda text: text, lambda _text: True)
    result = asyncio.run(drive(carry_out(arm, task), RoutedEndpoint(server, verifiers), counting))
    return counting, len(result.samples), sum(sample.score is not None for sample in result.samples)


def talkative(request: Generate, _number: int) -> tuple[Completion, ...]:
    """Samples of 100 + 200 tokens, verdicts of 300 + 800."""
    if request.generator == "critic":
        return (Completion("Verdict: correct", prompt_tokens=300, completion_tokens=800),)
    return tuple(Completion(f"Answer: {i}", prompt_tokens=100, completion_tokens=200) for i in range(request.n))


@pytest.mark.parametrize("budget", [{"max_tokens": 30_000}, {"max_tokens": 5000}, {"max_usd": 0.05}], ids=str)
def test_verdicts_that_are_longer_than_foreseen_pass_a_ceiling_by_one_at_most(budget: dict[str, float]):
    counting, _, scored = sampled(Budget(**budget), talkative)
    ((unit, ceiling),) = Budget(**budget).ceilings.items()
    assert 0.5 * ceiling < counting.cost.in_unit(unit) <= ceiling + {"tokens": 1100, "usd": 0.0083}[unit]
    assert scored > 1


def test_what_a_judge_writes_is_billed_as_written():
    counting, drawn, _ = sampled(Budget(), talkative, breadth=3)
    assert drawn == 3
    assert counting.cost.verifier_tokens == 3 * 1100
    assert counting.cost.usd == pytest.approx(3 * (100 + 3 * 200 + 300 + 10 * 800) / 1e6)
    assert [(one.model, one.prompt_tokens, one.completion_tokens) for one in counting.usage] == [
        ("small", 300, 600),
        ("critic", 900, 2400),
    ]


def test_verdicts_are_kept_for_while_completions_are_in_flight():
    _, drawn, scored = sampled(Budget(max_generations=20), talkative)
    assert (drawn, scored) == (10, 10)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_a_costly_verifier_has_its_share_kept(share: float):
    def reply(request: Generate, _number: int) -> tuple[Completion, ...]:
        text = "word " * 200 + "\nAnswer: 1"
        return tuple(Completion(text, prompt_tokens=60, completion_tokens=200) for _ in range(request.n))

    cards = {"small": CARDS["small"], "prm": ModelCard(name="prm", kind="prm", active_params=2e7)}
    ceiling = 64 * share * (2e6 + 4e7) * 260
    _, drawn, scored = sampled(
        Budget(max_flops=ceiling),
        reply,
        cards,
        verifier="prm",
        breadth=64,
        score=lambda request, _: tuple(Verdict(0.5, tokens=260) for _ in request.candidates),
    )
    assert drawn - 1 <= scored <= drawn <= 64 * share
    assert drawn >= int(64 * share) - 1


def test_a_judge_whose_card_tells_no_price_of_what_it_writes_is_refused_under_a_ceiling_in_usd():
    unpriced = JUDGE.model_copy(update={"usd_per_million_completion_tokens": None})
    counting = Meter(Budget(max_usd=1), {"critic": unpriced})
    with pytest.raises(InvalidInput, match="'critic' has no usd_per_million_completion_tokens"):
        counting.reserve(Verify("critic", ASKED, ("a",)))


def test_a_judge_without_a_card_is_foreseen_as_one():
    counting = Meter(Budget(max_generations=3), {}, judges={"critic": Judging()})
    reservation = counting.reserve(Verify("critic", ASKED, ("a",) * 5))
    assert reservation is not None
    assert len(reservation.request.candidates) == 3


def test_a_scoring_model_whose_card_says_nothing_of_it_is_known_after_its_first_scores():
    counting = Meter(Budget(max_generations=3), JUDGED)
    first = counting.reserve(Verify("critic", ASKED, ("a",)))
    assert first is not None
    counting.settle(first, (Verdict(0.5, tokens=5),))
    after = counting.reserve(Verify("critic", ASKED, ("a",) * 50))
    assert after is not None
    assert len(after.request.candidates) == 50


def test_a_verdict_that_timed_out_is_held_against_the_ceiling_as_written():
    counting = Meter(Budget(max_usd=1), JUDGED)
    reservation = counting.reserve(Verify("critic", ASKED, ("a",)))
    assert reservation is not None
    counting.abandon(reservation)
    assert counting.cost.usd == pytest.approx(10 * 256 / 1e6, rel=0.05)
