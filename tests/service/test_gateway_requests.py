"""How a request is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import Completion, Generate, Message, Verify
from planner.errors import InvalidInput
from planner.service.gateway.body import ChatBody
from planner.service.gateway.limited import Found, limited
from planner.service.gateway.naming import Named, UnknownName, bare_names, read_name
from planner.service.gateway.request import Limits, read_request
from planner.service.gateway.sse import header_safe
from planner.service.gateway.untouched import untouched_because
from planner.strategies.pool import Interrupted

KNOWN = {"small", "auto-pilot", "mcts-net", "a/b"}
ASKED = [{"role": "user", "content": "How many?"}]


def read(header: str | None = None, **members: object):
    raw = {"model": "auto", "messages": ASKED} | members
    return read_request(ChatBody(**raw), raw, header, KNOWN)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("auto", Named()),
        ("auto-small", Named(generators=("small",))),
        ("auto-a/b", Named(generators=("a/b",))),
        ("small", Named(model="small")),
        ("auto-pilot", Named(model="auto-pilot")),
        ("mcts-net", Named(model="mcts-net")),
        ("mcts-small", Named(generators=("small",), searches=("mcts",))),
        ("bon-auto", Named(searches=("sampling",), selections=("best_of_n",))),
        ("self_consistency-auto-small", Named(None, ("small",), ("sampling",), ("majority_vote",))),
    ],
)
def test_what_asks_for_a_plan_is_read_first_and_never_as_a_model_of_that_name(name, named):
    assert {*bare_names(name)} & {*KNOWN, "auto"}
    assert read_name(name, KNOWN) == named
    logged = {"auto", "auto-small", "auto-a/b", "mcts-small", "bon-auto", "self_consistency-auto-small"}
    assert read_name(name, KNOWN | logged) == named


@pytest.mark.parametrize("name", ["", "none", "auto-", "auto-none", "bon-", "AUTO"])
def test_other_names_are_unknown_in_words(name):
    with pytest.raises(UnknownName, match="small"):
        read_name(name, KNOWN)


@pytest.mark.parametrize(
    ("members", "because"),
    [
        ({}, None),
        ({"tools": [], "tool_choice": None, "response_format": {"type": "text"}}, None),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"messages": [{"role": "system", "content": "s"}, *ASKED]}, None),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, None),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": None, "refusal": None}]}, None),
        ({"messages": [*ASKED, {"role": "tool", "content": "4", "tool_call_id": "1"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": "a", "name": "me"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
    ],
)
def test_what_a_planned_answer_could_not_keep_is_found(members, because):
    assert untouched_because({"messages": ASKED} | members) == because


def test_metadata_of_a_client_names_no_code():
    """A runner takes extractors and graders from metadata: they may be commands."""
    asked = read(planner={"metadata": {"grade": "command:rm", "extract": "regex:(a+)+$", "level": 3}})
    assert asked.metadata == {"level": 3}
    assert (asked.grade, asked.extract) == (None, None)


def test_tags_of_openai_say_what_is_known_of_the_prompt_and_no_more():
    asked = read(metadata={"dataset": "gsm8k", "reference": "4", "prompt_id": "p", "user_name": "Ann", "grade": "5"})
    assert (asked.dataset, asked.reference, asked.prompt_id, asked.metadata) == ("gsm8k", "4", "p", {})


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"planner": {"prompt_id": "a\0b"}}, "planner.prompt_id"),
        ({"planner": {"dataset": "a\0b"}}, "planner.dataset"),
        ({"planner": {"reference": "a\0b"}}, "planner.reference"),
        ({"planner": {"metadata": {"tags": ["x", {"a\0b": 1}]}}}, "planner.metadata"),
        ({"planner": {"metadata": {"tag": "half \ud800 a pair"}}}, "planner.metadata"),
        ({"planner": {"arm": {"generator": "small", "params": {"x": "half \ud800 a pair"}}}}, "planner.arm"),
        ({"metadata": {"reference": "half \ud800 a pair"}}, "metadata.reference"),
    ],
)
def test_a_text_that_no_store_can_keep_is_refused_by_its_field(members, field):
    with pytest.raises(InvalidInput, match=f"^{field}: holds"):
        read(**members)


def test_what_is_read_by_nobody_may_hold_any_text():
    assert read(metadata={"user_name": "a\0b"}).metadata == {}


@pytest.mark.parametrize("header", ["", "0", "-1", "nan", "inf", "1e99", "two"])
def test_a_header_that_is_no_number_of_generations_is_refused(header):
    with pytest.raises(InvalidInput, match="x-its-budget"):
        read(header)


def test_a_name_and_the_planner_s_member_must_not_contradict():
    with pytest.raises(InvalidInput, match=r"planner\.generators"):
        read(model="auto-small", planner={"generators": ["a/b"]})


def test_an_approach_forces_the_search_too():
    """Else a cascade, or a tree search that ends with a vote, could be carried out under the strategy's name."""
    asked = read(model="small", optillm_approach="self_consistency")
    assert (asked.generators, asked.searches, asked.selections) == (("small",), ("sampling",), ("majority_vote",))
    with pytest.raises(InvalidInput, match=r"planner\.searches"):
        read(model="bon-small", planner={"searches": ["beam_search"]})


def test_a_limit_in_either_member_is_kept():
    assert read(max_tokens=7).limits.max_tokens == 7
    assert read(max_completion_tokens=9).limits.max_tokens == 9
    assert read(max_tokens=7, max_completion_tokens=5).limits.max_tokens == 5
    assert read(max_tokens=-1, max_completion_tokens=5).limits.max_tokens == 5
    assert read(max_tokens=-1).limits.max_tokens is None
    assert read(stop="x", temperature=0.5).limits == Limits(None, 0.5, ("x",))


def test_a_search_is_held_to_the_limits_and_told_of_interruptions():
    asked, found = (Message("user", "q"),), Found()

    def search():
        told = []
        try:
            told.append((yield (Generate("small", asked, max_tokens=90, stop=("\n",)), Generate("small", asked))))
            yield (Verify("judge", asked, ("a",)),)
        except Interrupted as stop:
            told.append(str(stop))
        return told

    running = limited(search(), Limits(10, 0.3, ("END",)), found)
    step, whole = next(running)
    assert (step.max_tokens, step.stop, step.temperature) == (10, ("\n",), 0.3)
    assert (whole.max_tokens, whole.stop, whole.temperature) == (10, ("END",), 0.3)
    assert (step.ends_answer, whole.ends_answer) == (False, True)
    assert running.send(["replies"]) == (Verify("judge", asked, ("a",)),)
    with pytest.raises(StopIteration) as end:
        running.throw(Interrupted("spent"))
    assert end.value.value == found.result == [["replies"], "spent"]


def test_an_answer_that_is_written_in_steps_is_held_to_the_limit_as_a_whole():
    asked = (Message("user", "q"),)

    def search():
        prefix = ""
        while True:
            (reply,) = yield (Generate("small", asked, prefix=prefix, stop=("\n",), max_tokens=90),)
            prefix += reply[0].text + "\n"

    running, most = limited(search(), Limits(30), Found()), []
    (request,) = next(running)
    for _ in range(5):
        most.append(request.max_tokens)
        (request,) = running.send([(Completion("11 * 5 = 55", completion_tokens=8),)])
    assert most == pytest.approx([30, 22, 14, 6, 1], abs=1)
    assert most[-1] == 1


@given(st.text())
def test_a_header_bears_any_text(text):
    safe = header_safe(text)
    assert safe.isascii()
    assert all(" " <= char <= "~" for char in safe)
