"""What holds for every search, built in or not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from worlds import Meter, World, drive, interrupted_at, task

from planner.core import Arm, Completion, Generate, Verdict
from planner.errors import InvalidInput
from planner.strategies import carry_out, registered, select
from planner.strategies.transcript import Transcript, recorded, replay

pytestmark = pytest.mark.usefixtures("third_party")
NAMES = [*registered(), "one_by_one"]
STAGES = [
    {
        "generator": "small",
        "verifier": "prm",
        "batch": 2,
        "max_samples": 3,
        "stop": {"rule": "score", "threshold": 0.9},
    },
    {"generator": "large", "verifier": "prm", "draw": "attempts", "max_samples": 2},
]
PARAMS = {
    "cascade": {"stages": STAGES},
    "beam_search": {"beam_width": 2},
    "lookahead": {"beam_width": 2, "lookahead_steps": 1},
    "rebase": {"temperature": 0.2},
    "mcts": {"simulations": 6, "children": 2},
}
SEEDS = range(6)


def arm_of(name: str, *, breadth: int = 4, depth: int = 1, selection: str = "weighted_vote") -> Arm:
    breadth = 5 if name == "cascade" and breadth > 1 else breadth
    params = dict(PARAMS.get(name, {}))
    if name == "cascade" and breadth == 1:
        params = {"stages": [{"generator": "small", "verifier": "prm"}]}
    if name == "mcts" and breadth == 1:
        params["simulations"] = 1
    return Arm(
        generator="small", verifier="prm", search=name, selection=selection, breadth=breadth, depth=depth, params=params
    )


def generations(arm: Arm) -> float:
    """What the arm counts in generations (METHODS 2)."""
    size = arm.breadth * arm.depth
    match arm.search:
        case "lookahead":
            return size * (1 + arm.params["lookahead_steps"])
        case "mcts":
            return arm.params["simulations"]
    return size


def arms(name: str) -> list[Arm]:
    deep = [arm_of(name, breadth=2, depth=3)] if name in {"sampling", "one_by_one"} else []
    return [arm_of(name), *deep]


def without_verifier(name: str) -> list[Arm]:
    if registered()[name].needs_verifier:
        return []
    arm = arm_of(name, selection="majority_vote")
    stages = [{**stage, "verifier": None, "stop": None} for stage in STAGES]
    return [
        arm.model_copy(update={"verifier": None, "params": {"stages": stages} if name == "cascade" else arm.params})
    ]


def n_steps(arm: Arm, seed: int = 0) -> int:
    transcript = Transcript()
    drive(recorded(carry_out(arm, task(seed)), transcript), World().serve)
    return len(transcript.exchanges)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tells", [True, False])
def test_it_ends_with_candidates_and_spends_no_more_generations_than_it_counts(name, tells):
    for arm in arms(name):
        for seed in SEEDS:
            meter = Meter(most=10_000, world=World(tells=tells))
            result = meter.drive(carry_out(arm, task(seed)))
            assert result.samples
            assert result.interrupted is None
            assert 0 < meter.spent <= generations(arm)


@pytest.mark.parametrize("name", NAMES)
def test_it_never_passes_the_ceiling_of_a_meter(name):
    for arm in arms(name):
        for most in range(int(generations(arm)) + 2):
            meter = Meter(most=most)
            result = meter.drive(carry_out(arm, task()))
            assert meter.spent <= most
            assert (result.chosen is None) == (not result.samples)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_result(name):
    for arm in arms(name):
        first, again = Transcript(), Transcript()
        results = [drive(recorded(carry_out(arm, task(3)), to), World().serve) for to in (first, again)]
        assert results[0] == results[1]
        assert first == again


@pytest.mark.parametrize("name", NAMES)
def test_two_seeds_ask_for_other_samples(name):
    first, other = Transcript(), Transcript()
    for seed, transcript in enumerate((first, other)):
        drive(recorded(carry_out(arm_of(name), task(seed)), transcript), World().serve)
    assert first != other


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_that_of_a_candidate_and_is_read_off_its_text(name):
    for arm in arms(name):
        for seed in SEEDS:
            result = drive(carry_out(arm, task(seed)), World().serve)
            assert result.chosen is not None
            assert result.samples[result.chosen].answer == result.answer == task().extract(result.text)
            assert all(one.answer == task().extract(one.text) for one in result.samples)


@pytest.mark.parametrize("name", NAMES)
def test_every_candidate_says_who_made_it_and_what_it_cost(name):
    for arm in arms(name):
        samples = drive(carry_out(arm, task()), World().serve).samples
        for one in samples:
            assert one.generator in arm.generators
            assert one.verifier == "prm"
            assert 0 <= one.score <= 1
        for kind in ("prompt_tokens", "completion_tokens", "verifier_tokens"):
            assert sum(getattr(one, kind) for one in samples) > 0


@pytest.mark.parametrize("name", NAMES)
def test_candidates_have_places_of_their_own(name):
    for arm in arms(name):
        places = [(one.chain, one.attempt) for one in drive(carry_out(arm, task()), World().serve).samples]
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_go_to_json_and_back(name):
    model = registered()[name].parameters
    said = model.of(arm_of(name))
    assert model.model_validate(json.loads(said.model_dump_json())) == said


@pytest.mark.parametrize("name", NAMES)
def test_common_parameters_are_understood(name):
    settings = {"temperature": 0.1, "max_tokens": 70}
    said = {"settings": [settings, None] if name == "cascade" else settings}
    arm = arm_of(name)
    arm = arm.model_copy(update={"params": {**arm.params, **said, "aggregate": "min", "answer_from": "last_stage"}})
    transcript = Transcript()
    drive(recorded(carry_out(arm, task()), transcript), World().serve)
    (first, *_) = transcript.exchanges[0].requests
    assert first.temperature == 0.1


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_refused_before_anything_is_asked(name):
    arm = arm_of(name)
    with pytest.raises(InvalidInput, match=r"nonsense.*known are .*aggregate"):
        carry_out(arm.model_copy(update={"params": {**arm.params, "nonsense": 1}}), task())


@pytest.mark.parametrize("name", NAMES)
def test_breadth_and_depth_of_one_are_one_sample(name):
    world = World(greedy=True)
    alone = Generate("small", task().messages, temperature=0.8)
    result = drive(carry_out(arm_of(name, breadth=1), task()), world.serve)
    assert [one.text for one in result.samples] == [world.complete(alone, 0).text]


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_transcript_gives_the_same_result(name):
    for arm in arms(name):
        transcript = Transcript()
        live = drive(recorded(carry_out(arm, task()), transcript), World().serve)
        stored = Transcript.from_plain(json.loads(json.dumps(transcript.to_plain())))
        assert replay(carry_out(arm, task()), stored) == live


@pytest.mark.parametrize("name", NAMES)
def test_interrupted_anywhere_it_gives_the_best_so_far_and_asks_for_nothing_more(name):
    for arm in arms(name):
        answered = 0
        for step in range(n_steps(arm)):
            result = interrupted_at(carry_out(arm, task()), World(), step)
            assert result.interrupted == "enough"
            assert result.chosen == select(arm.selection, result.samples)
            now = sum(one.answer is not None for one in result.samples)
            assert now >= answered, "a finished candidate was lost"
            answered = now
        assert answered > 0


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_run_is_replayed_too(name):
    arm, transcript = arm_of(name), Transcript()
    live = interrupted_at(recorded(carry_out(arm, task()), transcript), World(), n_steps(arm) - 1)
    assert replay(carry_out(arm, task()), transcript) == live


@pytest.mark.parametrize("name", NAMES)
def test_an_arm_that_lacks_its_verifier_is_refused_before_anything_is_asked(name):
    bare = arm_of(name, selection="majority_vote").model_copy(update={"verifier": None})
    if not registered()[name].needs_verifier:
        assert without_verifier(name)
        return
    with pytest.raises(InvalidInput, match="name a verifier"):
        carry_out(bare, task())


@pytest.mark.parametrize("name", NAMES)
def test_what_a_model_writes_is_kept_as_far_as_a_store_can_hold_it(name):
    def serve(request):
        reply = World().serve(request)
        if not isinstance(request, Generate):
            return reply
        return tuple(replace(one, text=one.text.replace("step", "\0\ud800" + "é" * 600_000, 1)) for one in reply)

    result = drive(carry_out(arm_of(name, breadth=1), task()), serve)
    for one in result.samples:
        assert "\0" not in one.text
        assert 999_998 <= len(one.text.encode()) <= 1_000_000
    assert result.answer is not None


FAULTS = {
    "error": lambda one: Completion("", finish="error", prompt_tokens=4, completion_tokens=0),
    "cut off": lambda one: Completion(one.text[:5], finish="length", prompt_tokens=4, completion_tokens=1),
    "blank": lambda one: Completion("", prompt_tokens=4, completion_tokens=0),
    "no counts": lambda one: Completion(one.text, ended=one.ended),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("every", [1, 2, 3])
def test_failed_completions_are_survived(name, fault, every):
    world, count = World(), 0

    def serve(request):
        nonlocal count
        reply = list(world.serve(request))
        if isinstance(request, Generate):
            for place, completion in enumerate(reply):
                count += 1
                reply[place] = FAULTS[fault](completion) if count % every == 0 else completion
        return tuple(reply)

    for arm in (*arms(name), *without_verifier(name)):
        result = drive(carry_out(arm, task()), serve)
        assert (result.chosen is None) == (not result.samples)
        assert all(one.answer is None for one in result.samples if one.status == "error")


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_short_replies_are_survived(name):
    for arm in arms(name):
        for kept in (0, 1):
            result = drive(
                carry_out(arm, task()),
                lambda request, kept=kept: (
                    World().serve(request)[:kept] if isinstance(request, Generate) else World().serve(request)
                ),
            )
            assert (result.chosen is None) == (not result.samples)
            assert result.samples or kept == 0


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_that_failed_are_survived(name):
    for arm in arms(name):
        result = drive(
            carry_out(arm, task()),
            lambda request: (
                World().serve(request)
                if isinstance(request, Generate)
                else tuple(Verdict(None) for _ in request.candidates)
            ),
        )
        assert result.answer is not None
        assert all(one.score is None for one in result.samples)


@pytest.mark.parametrize("name", NAMES)
def test_other_separators_serve_as_well(name):
    world = World(separator="\n\n")
    result = drive(carry_out(arm_of(name), task(separator="\n\n")), world.serve)
    assert result.answer is not None
    assert all(one.text.count("\n\n") == 3 for one in result.samples)
