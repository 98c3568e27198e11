from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import World, drive, interrupted_at, task

from planner.core import Arm, Completion, Generate, ModelCard, Verdict, Verify
from planner.errors import InvalidInput, UnknownStrategy
from planner.strategies import carry_out
from planner.strategies.transcript import Transcript, recorded


def arm(**members) -> Arm:
    return Arm(**{"generator": "small", "verifier": "prm", "selection": "best_of_n", "breadth": 3} | members)


def rounds(of: Arm, *, given=None, serve=None) -> list[tuple]:
    transcript = Transcript()
    drive(recorded(carry_out(of, given or task()), transcript), serve or World().serve)
    return [exchange.requests for exchange in transcript.exchanges]


def test_chains_are_asked_for_side_by_side_and_attempts_one_after_the_other():
    asked = rounds(arm(depth=3))
    assert [[type(one) for one in together] for together in asked] == [
        [Generate], [Verify], [Generate] * 3, [Verify], [Generate] * 3, [Verify]
    ]  # fmt: skip
    assert asked[0][0].n == 3
    assert [len(one.candidates) for together in asked for one in together if isinstance(one, Verify)] == [3, 3, 3]


def test_every_request_counts_its_candidates():
    asked = [one for together in rounds(arm(depth=2)) for one in together if isinstance(one, Generate)]
    assert [one.generations for one in asked] == [3, 1, 1, 1]


def test_every_request_has_a_seed_of_its_own():
    asked = [one for together in rounds(arm(depth=3)) for one in together if isinstance(one, Generate)]
    assert len({one.seed for one in asked}) == len(asked)


@pytest.mark.parametrize(("shown", "lengths"), [(None, [1, 3, 5, 7, 9, 9]), (1, [1, 3, 3, 3, 3, 3]), (0, [1] * 6)])
def test_a_revision_shows_as_many_latest_attempts_as_the_reviser_bears(shown, lengths):
    cards = {"small": ModelCard(name="small", revision_context_attempts=shown)}
    asked = rounds(arm(breadth=1, depth=6, verifier=None, selection="last"), given=replace(task(), cards=cards))
    assert [len(together[0].messages) for together in asked] == lengths


def test_a_revision_shows_the_latest_attempts_oldest_first():
    world, written = World(), []

    def serve(request):
        reply = world.serve(request)
        written.extend(one.text for one in reply)
        return reply

    cards = {"small": ModelCard(name="small", revision_context_attempts=2)}
    asked = rounds(
        arm(breadth=1, depth=4, verifier=None, selection="last"), given=replace(task(), cards=cards), serve=serve
    )
    assert [one.content for one in asked[3][0].messages] == [
        "How much is it?", written[1], "Revise:", written[2], "Revise:"
    ]  # fmt: skip


def test_a_verifier_scores_attempts_without_the_context_of_their_revision():
    asked = rounds(arm(depth=2))
    assert all(one.messages == task().messages for together in asked for one in together if isinstance(one, Verify))


@pytest.mark.parametrize("selection", ["first", "last", "majority_vote", "medoid"])
def test_a_selection_that_reads_no_score_pays_for_none(selection):
    assert not any(isinstance(one, Verify) for together in rounds(arm(selection=selection)) for one in together)


@pytest.mark.parametrize("selection", ["filter_vote", "weighted_vote", "best_of_n"])
def test_a_selection_that_reads_scores_needs_a_verifier(selection):
    with pytest.raises(InvalidInput, match="needs a verifier"):
        carry_out(arm(selection=selection, verifier=None), task())


def test_samples_bear_what_their_verifier_said_and_cost():
    result = drive(carry_out(arm(), task()), World().serve)
    for one in result.samples:
        verdict = World().judge(Verify("prm", task().messages, (one.text,)), one.text)
        assert (one.score, one.step_scores, one.verifier_tokens) == (verdict.score, verdict.step_scores, verdict.tokens)
        assert one.score_min == min(verdict.step_scores)
    assert result.samples[result.chosen].score == max(one.score for one in result.samples)


def test_the_tokens_of_candidates_are_those_of_the_run():
    transcript = Transcript()
    result = drive(recorded(carry_out(arm(depth=3), task()), transcript), World().serve)
    replies = [one for exchange in transcript.exchanges for reply in exchange.replies for one in reply]
    for kind in ("prompt_tokens", "completion_tokens"):
        spent = sum(getattr(one, kind) for one in replies if isinstance(one, Completion))
        assert sum(getattr(one, kind) for one in result.samples) == spent
    assert sum(one.verifier_tokens for one in result.samples) == sum(
        one.tokens for one in replies if isinstance(one, Verdict)
    )


def test_latency_of_a_candidate_holds_its_verdict():
    def serve(request):
        reply = World().serve(request)
        return tuple(replace(one, latency_seconds=0.5 if isinstance(one, Verdict) else 2.0) for one in reply)

    assert {one.latency_seconds for one in drive(carry_out(arm(), task()), serve).samples} == {2.5}


def test_the_separator_at_the_end_of_an_answer_does_not_make_it_unfinished():
    def serve(request):
        reply = World().serve(request)
        return tuple(replace(one, text=one.text + "\n\n") for one in reply) if isinstance(request, Generate) else reply

    (_, (verification,)) = rounds(arm(breadth=1), serve=serve)
    assert not verification.candidates[0].endswith("\n")


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0.3},
        {"temperature": 0.3, "settings": None},
        {"settings": {"temperature": 0.3}},
    ],
)
def test_the_settings_of_a_pool_are_kept(params):
    asked = rounds(arm(params={**params, "max_tokens": 50}, depth=2, verifier=None, selection="majority_vote"))
    assert {(one.temperature, one.max_tokens) for together in asked for one in together} == {(0.3, 50)}


def test_a_setting_that_cannot_be_carried_out_is_refused():
    with pytest.raises(InvalidInput, match=r"few_shot.*temperature, max_tokens"):
        carry_out(arm(params={"few_shot": 4}), task())


@pytest.mark.parametrize("said", [5, "warm", {"temperature": "hot"}, [1]])
def test_settings_that_are_none_are_refused(said):
    for params in ({"settings": said}, {"settings": said, "max_tokens": 5}):
        with pytest.raises(InvalidInput, match="settings"):
            carry_out(arm(params=params), task())


def test_a_failed_attempt_costs_but_is_no_answer_and_no_context():
    def serve(request):
        if isinstance(request, Generate) and request.n == 1:
            return (Completion("", finish="error", prompt_tokens=9, completion_tokens=2),)
        return World().serve(request)

    result = drive(carry_out(arm(depth=3), task()), serve)
    failed = [one for one in result.samples if one.status == "error"]
    assert len(failed) == 6
    assert {(one.answer, one.text, one.score, one.prompt_tokens) for one in failed} == {(None, None, None, 9)}
    assert result.answer is not None
    assert [len(together[0].messages) for together in rounds(arm(depth=3), serve=serve) if len(together) == 3] == [3, 3]


def test_a_truncated_completion_that_gives_an_answer_has_it():
    def serve(request):
        reply = World().serve(request)
        if isinstance(request, Generate):
            return (replace(reply[0], finish="length"), replace(reply[1], text="step", finish="length"), *reply[2:])
        return reply

    samples = drive(carry_out(arm(), task()), serve).samples
    assert [(one.status, one.answer is None) for one in samples] == [
        ("truncated", False), ("truncated", True), ("ok", False)
    ]  # fmt: skip


def test_chains_that_were_not_given_are_not_revised():
    def serve(request):
        return World().serve(request)[: 2 if isinstance(request, Generate) else None]

    result = drive(carry_out(arm(depth=2), task()), serve)
    assert [(one.chain, one.attempt) for one in result.samples] == [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_more_completions_than_asked_for_are_not_used():
    def serve(request):
        reply = World().serve(request)
        return (*reply, *reply)

    assert len(drive(carry_out(arm(), task()), serve).samples) == 3


def test_candidates_outlive_an_interruption_of_their_scoring():
    result = interrupted_at(carry_out(arm(), task()), World(), 1)
    assert [one.score for one in result.samples] == [None] * 3
    assert result.answer is not None


def test_an_unknown_search_is_refused_by_name():
    with pytest.raises(UnknownStrategy, match=r"'quantum'.*sampling"):
        carry_out(arm(search="quantum"), task())


def test_an_unknown_selection_is_refused_at_once():
    with pytest.raises(UnknownStrategy, match=r"'loudest'"):
        carry_out(arm(selection="loudest"), task())


def served(*texts: str):
    return lambda _: tuple(Completion(f"Answer: {text}") for text in texts)


@pytest.mark.parametrize(("texts", "told"), [("abc", True), ("aab", False), ("a", False)])
def test_a_vote_among_answers_of_which_no_two_are_equal_is_told(texts, told):
    voting = arm(selection="majority_vote", verifier=None, breadth=len(texts))
    note = drive(carry_out(voting, task()), served(*texts)).note
    assert (note is not None and "medoid" in note) == told


def test_blank_answers_are_not_shown_to_the_verifier():
    def serve(request):
        reply = World().serve(request)
        if isinstance(request, Generate):
            return (reply[0], replace(reply[1], text=" \n\n"), reply[2])
        assert len(request.candidates) == 2
        return reply

    samples = drive(carry_out(arm(), task()), serve).samples
    assert [one.score is None for one in samples] == [False, True, False]


def test_more_verdicts_than_candidates_are_not_used():
    def serve(request):
        reply = World().serve(request)
        return reply if isinstance(request, Generate) else (*reply, Verdict(1.0))

    assert len(drive(carry_out(arm(), task()), serve).samples) == 3


@pytest.mark.parametrize("params", [{"top_p": 0.9, "temperature": 0.5}, {"settings": {"top_k": 9, "temperature": 0.5}}])
def test_a_pool_is_drawn_from_whose_logs_tell_of_settings_that_no_request_bears(params):
    assert {one.temperature for one in rounds(arm(params=params))[0]} == {0.5}


def test_so_are_the_pools_of_a_cascade():
    stages = [{"generator": "small"}, {"generator": "large"}]
    params = {"stages": stages, "settings": [{"top_p": 0.9, "max_tokens": 7}, None]}
    asked = rounds(arm(search="cascade", selection="majority_vote", verifier=None, params=params))
    assert asked[0][0].max_tokens == 7


@pytest.mark.parametrize("params", [{"prompt": "terse"}, {"settings": {"temprature": 0.5}}])
def test_other_parameters_that_are_not_known_are_refused(params):
    with pytest.raises(InvalidInput, match="is not known"):
        carry_out(arm(params=params), task())
