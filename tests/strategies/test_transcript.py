from __future__ import annotations

import pytest
from worlds import World, drive, interrupted_at, task

from planner.core import Arm
from planner.errors import InvalidInput
from planner.strategies import carry_out
from planner.strategies.transcript import Transcript, recorded, replay

ARM = Arm(generator="small", verifier="prm", selection="weighted_vote", breadth=2, depth=2)


def transcript_of(arm: Arm = ARM) -> Transcript:
    transcript = Transcript()
    drive(recorded(carry_out(arm, task()), transcript), World().serve)
    return transcript


def test_a_transcript_goes_to_plain_data_and_back():
    transcript = transcript_of()
    assert Transcript.from_plain(transcript.to_plain()) == transcript


def test_messages_of_parts_are_kept_as_they_are():
    plain = transcript_of().to_plain()
    plain[0]["requests"][0]["messages"][0]["content"] = [{"type": "text", "text": "How much?"}]
    again = Transcript.from_plain(plain)
    assert again.exchanges[0].requests[0].messages[0].content == [{"type": "text", "text": "How much?"}]


def test_an_interruption_is_recorded_with_its_reason():
    transcript = Transcript()
    interrupted_at(recorded(carry_out(ARM, task()), transcript), World(), 2)
    assert [exchange.interrupted for exchange in transcript.exchanges] == [None, None, "enough"]


def test_another_task_is_not_replayed_from_it():
    with pytest.raises(InvalidInput, match=r"step 1 asks for .* recorded for another"):
        replay(carry_out(ARM, task(seed=1)), transcript_of())


def test_a_transcript_that_was_cut_off_is_told():
    transcript = transcript_of()
    del transcript.exchanges[-1]
    with pytest.raises(InvalidInput, match="ends after 3 steps"):
        replay(carry_out(ARM, task()), transcript)


def test_a_transcript_that_goes_on_is_told():
    transcript = transcript_of()
    transcript.exchanges *= 2
    with pytest.raises(InvalidInput, match="ends after 4 of the transcript's 8 steps"):
        replay(carry_out(ARM, task()), transcript)


@pytest.mark.parametrize("plain", [None, [{"requests": 1}], {"a": 1}, "text"])
def test_what_is_no_transcript_is_refused(plain):
    with pytest.raises(InvalidInput, match="no transcript"):
        Transcript.from_plain(plain)


def test_a_search_that_is_dropped_midway_is_closed():
    closed = []

    def search():
        try:
            yield ()
        finally:
            closed.append(True)

    steps = recorded(search(), Transcript())
    next(steps)
    steps.close()
    assert closed == [True]
