from __future__ import annotations

import numpy as np
import pytest
from curves.cascade_worlds import cascade, random_logs
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import World, drive, task

from planner.core import AgreementStop, Arm, BetaVoteStop, Completion, Generate, ScoreStop, Stage, Verdict
from planner.curves.cascade_draws import draw_orders, source, stage_rows
from planner.curves.cascade_replay import plan_of, replay
from planner.curves.cascade_trace import Trace, chains_used
from planner.errors import InvalidInput
from planner.strategies import carry_out
from planner.strategies.transcript import Transcript, recorded

vote_stops = st.one_of(
    st.none(),
    st.builds(AgreementStop, share=st.sampled_from([0.5, 0.7, 1.0]), min_samples=st.integers(1, 4)),
    st.builds(BetaVoteStop, confidence=st.sampled_from([0.7, 0.8, 0.95])),
)
stops = st.one_of(vote_stops, st.builds(ScoreStop, threshold=st.sampled_from([0.2, 0.5, 0.8, 0.95])))
draws = {
    "generator": st.sampled_from(["g0", "g1"]),
    "draw": st.sampled_from(["samples", "attempts"]),
    "batch": st.integers(1, 3),
    "max_samples": st.integers(1, 3),
}
scored = st.builds(Stage, verifier=st.just("v"), stop=stops, **draws)
unscored = st.builds(Stage, verifier=st.none(), stop=vote_stops, **draws)
SCORED = ["weighted_vote", "filter_vote", "best_of_n"]
plans = st.one_of(
    st.tuples(st.lists(scored, min_size=1, max_size=3), st.sampled_from(SCORED)),
    st.tuples(st.lists(st.one_of(scored, unscored), min_size=1, max_size=3), st.just("majority_vote")),
)


class Dealer:
    """An endpoint whose samples are those of a logged pool, in a given order."""

    def __init__(self, samples, rows):
        self.samples, self.rows = samples, iter(rows)

    def serve(self, request):
        if isinstance(request, Generate):
            return tuple(self.complete(next(self.rows)) for _ in range(request.n))
        return tuple(self.judge(int(text.split()[1])) for text in request.candidates)

    def complete(self, row):
        answer = self.samples.answer[row]
        return Completion(
            f"row {row} " + (f"\nAnswer: {answer}" if answer >= 0 else ""),
            prompt_tokens=int(self.samples.prompt_tokens[row]),
            completion_tokens=int(self.samples.completion_tokens[row]),
        )

    def judge(self, row):
        """The verifier reads the prompt, which a first attempt's context is, and the candidate."""
        prompt = self.samples.prompt_tokens[row - self.samples.attempt[row]]
        return Verdict(float(self.samples.score[row]), tokens=int(prompt + self.samples.completion_tokens[row]))


def dealt(laid, orders, plan, n_rows):
    """Rows that each stage would draw in full, one order of one prompt."""
    rows = []
    for place, draw in enumerate(plan):
        skip = chains_used(plan[:place], draw.pool)
        rows += stage_rows(
            laid.chains[draw.pool], orders, draw.pool, draw=draw.kind, skip=skip, n_draws=draw.n, n_rows=n_rows
        )[0, 0].tolist()
    return rows


@settings(max_examples=150, deadline=None)
@given(plans, st.integers(0, 10_000), st.booleans())
def test_a_live_run_does_what_its_replay_does_on_the_same_order(plan_and_selection, seed, last_stage_answers):
    stages, selection = plan_and_selection
    logs = random_logs(seed, n_prompts=1, n_samples=9, depth=3, silent=0.3, digits=1)
    arm = cascade(*stages, selection=selection, **({"answer_from": "last_stage"} if last_stage_answers else {}))
    laid = source(logs)
    plan = plan_of(arm, laid)
    orders = draw_orders(laid.chains, np.arange(1), n_orders=1, n_draws=9, rng=np.random.default_rng(seed))
    found = replay(Trace(plan, laid, orders), arm, 1, [None] * len(plan))

    dealer = Dealer(logs.samples, dealt(laid, orders, plan, len(logs.samples)))
    result = drive(carry_out(arm, task()), dealer.serve)

    for place, stage in enumerate(stages):
        mine = [one for one in result.samples if one.stage == place]
        assert {one.generator for one in mine} <= {stage.generator}
        assert len(mine) == found.generations[0, place]
        for kind in ("prompt_tokens", "completion_tokens"):
            assert sum(getattr(one, kind) for one in mine) == getattr(found, kind)[0, place]
        read = sum(one.verifier_tokens or 0 for one in mine)
        assert read == (found.verifier_tokens[0, place] if stage.verifier else 0)
    assert found.ended[0, max(one.stage for one in result.samples)] == 1
    # Answers that tie share the win in expectation; of these a live run takes the first drawn.
    if found.outcome[0] in {0, 1}:
        assert (result.answer == "0") == found.outcome[0]


def asked(arm: Arm) -> list[Generate]:
    transcript = Transcript()
    drive(recorded(carry_out(arm, task()), transcript), World().serve)
    return [one for step in transcript.exchanges for one in step.requests if isinstance(one, Generate)]


def test_batches_are_asked_for_in_one_request_each():
    arm = cascade(Stage(generator="small", batch=3, max_samples=7), selection="majority_vote")
    assert [request.n for request in asked(arm)] == [3, 3, 1]


def test_attempts_revise_those_of_their_own_stage_alone():
    arm = cascade(
        Stage(generator="small", max_samples=2), Stage(generator="reviser", draw="attempts", max_samples=3),
        selection="majority_vote",
    )  # fmt: skip
    assert [len(request.messages) for request in asked(arm)] == [1, 1, 1, 3, 5]


@pytest.mark.parametrize("nested", [False, True])
def test_each_stage_is_carried_out_with_the_settings_of_its_pool(nested):
    stages = [Stage(generator=name) for name in ("small", "large")]
    said = {"temperature": 0.2, "max_tokens": 9}
    arm = cascade(*stages, selection="majority_vote", settings=[None, {"settings": said} if nested else said])
    assert [(request.temperature, request.max_tokens) for request in asked(arm)] == [(0.8, None), (0.2, 9)]


def test_settings_are_one_a_stage():
    arm = cascade(Stage(generator="small"), selection="majority_vote", settings=[None, None])
    with pytest.raises(InvalidInput, match="one a stage"):
        carry_out(arm, task())


@pytest.mark.parametrize(("selection", "stop"), [("best_of_n", None), ("majority_vote", ScoreStop(threshold=0.5))])
def test_a_stage_that_cannot_give_the_scores_asked_for_is_refused(selection, stop):
    with pytest.raises(InvalidInput, match=r"needs a verifier"):
        carry_out(cascade(Stage(generator="small", stop=stop), selection=selection), task())


def test_chains_of_later_stages_have_places_of_their_own():
    arm = cascade(
        Stage(generator="small", batch=2, max_samples=2), Stage(generator="reviser", draw="attempts", max_samples=2),
        Stage(generator="large", max_samples=1), selection="majority_vote",
    )  # fmt: skip
    samples = drive(carry_out(arm, task()), World().serve).samples
    places = [(one.stage, one.chain, one.attempt) for one in samples]
    assert places == [(0, 0, 0), (0, 1, 0), (1, 2, 0), (1, 2, 1), (2, 3, 0)]
