"""What a server bears is learned from its answers to real requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hostile import Act, Seen, answering, chat_completion, error, reply
from serving import plain, question, refusing, serving

from planner.core import Completion, Conventions, Message
from planner.errors import EndpointRejected
from planner.execution.openai.capabilities import Capabilities


def asked(
    act: Act, *requests: dict[str, Any], **options: Any
) -> tuple[list[tuple[Completion, ...]], list[Seen], Capabilities]:
    async def run() -> tuple[list[tuple[Completion, ...]], list[Seen], Capabilities]:
        async with serving(act, **options) as (endpoint, server):
            replies = [await endpoint.generate(question(**request)) for request in requests]
            return replies, server.seen, endpoint.capabilities("m")

    return asyncio.run(run())


def test_nothing_is_sent_that_was_not_asked_for():
    _, seen, _ = asked(answering(plain), {})
    assert seen[0].body == {"model": "m", "messages": [{"role": "user", "content": "What is 1 + 1?"}]}


def test_a_request_says_all_that_was_asked_for():
    conventions = Conventions(body={"top_p": 0.9}, temperature=0.5, max_tokens=7)
    request = {"n": 2, "stop": ("\n\n",), "seed": 3}
    _, seen, _ = asked(answering(plain), request, conventions=conventions)
    members = {"n": 2, "stop": ["\n\n"], "seed": 3, "temperature": 0.5, "max_tokens": 7, "top_p": 0.9}
    assert members.items() <= seen[0].body.items()


def test_a_server_that_ignores_n_is_asked_once_a_choice_from_then_on():
    def ignoring(seen: Seen) -> tuple[int, Any]:
        return 200, chat_completion(f"seed {seen.body['seed']}")

    replies, seen, known = asked(answering(ignoring), {"n": 4, "seed": 10}, {"n": 3, "seed": 20})
    assert sorted(said.text for said in replies[0]) == [f"seed {10 + place}" for place in range(4)]
    assert len(replies[1]) == 3
    assert [request.body.get("n") for request in seen] == [4] + [None] * 6
    assert known.most_choices == 1


def test_a_server_that_gives_at_most_two_choices_is_asked_for_two():
    def few(seen: Seen) -> tuple[int, Any]:
        return 200, chat_completion(*"ab"[: seen.body.get("n", 1)])

    replies, seen, known = asked(answering(few), {"n": 5})
    assert len(replies[0]) == 5
    assert sorted(request.body.get("n", 1) for request in seen) == [1, 2, 5]
    assert known.most_choices == 2


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("words", ["{name} is not supported", "cannot do this"])
@pytest.mark.parametrize(
    ("member", "request_", "learned"),
    [
        ("n", {"n": 2}, {"most_choices": 1}),
        ("stop", {"stop": ("\n",), "n": 2}, {"stop": False}),
        ("seed", {"seed": 3, "n": 2}, {"seed": False}),
        ("temperature", {"temperature": 0.7}, {"temperature": False}),
        ("max_tokens", {"max_tokens": 9, "seed": 1}, {"limit": "max_completion_tokens"}),
    ],
)
def test_a_member_that_is_refused_is_left_out_from_then_on(
    member: str, request_: dict[str, Any], learned: dict[str, Any], words: str, status: int
):
    replies, seen, known = asked(refusing(member, words=words, status=status), request_, request_)
    assert [len(reply) for reply in replies] == [request_.get("n", 1)] * 2
    assert known == Capabilities(**learned)
    assert member not in seen[-1].body


def test_two_members_that_are_refused_one_after_another_are_both_left_out():
    words = "Unsupported parameter: '{name}' is not supported with this model."
    request = {"max_tokens": 9, "temperature": 0.7, "n": 2}
    _, seen, known = asked(refusing("max_tokens", "temperature", words=words), request)
    assert known == Capabilities(limit="max_completion_tokens", temperature=False)
    assert {"max_completion_tokens": 9, "n": 2}.items() <= seen[-1].body.items()


def test_two_members_that_are_refused_without_a_word_are_both_left_out():
    _, _, known = asked(refusing("stop", "seed", words="no"), {"stop": ("\n",), "seed": 1})
    assert (known.stop, known.seed) == (False, False)


def test_a_refusal_that_points_at_its_field_is_believed_over_its_words():
    detail = {"detail": [{"loc": ["body", "seed"], "msg": "extra", "input": {"stop": ["x"], "n": 2}}]}
    act = answering(lambda seen: (422, detail) if "seed" in seen.body else plain(seen))
    _, seen, known = asked(act, {"seed": 1, "stop": ("x",), "n": 2})
    assert known == Capabilities(seed=False)
    assert len(seen) == 2


def test_a_refused_zero_temperature_is_nearly_zero_and_other_temperatures_stay():
    def strict(seen: Seen) -> tuple[int, Any]:
        if seen.body.get("temperature") == 0:
            return 422, {"error": {"message": "`temperature` must be strictly positive"}}
        return plain(seen)

    _, seen, _ = asked(answering(strict), {"temperature": 0.0}, {"temperature": 0.8})
    assert [request.body["temperature"] for request in seen] == [0.0, 0.01, 0.8]


def test_a_member_that_was_borne_is_not_left_out_when_a_later_request_is_refused():
    acts = [answering(plain), error(400, "max_tokens is too large: the context has 4096 tokens")]

    async def run() -> Capabilities:
        async with serving(*acts) as (endpoint, server):
            await endpoint.generate(question(max_tokens=10))
            with pytest.raises(EndpointRejected, match="context has 4096"):
                await endpoint.generate(question(max_tokens=10_000))
            assert len(server.seen) == 2
            return endpoint.capabilities("m")

    assert asyncio.run(run()) == Capabilities()


def test_a_refusal_of_every_way_is_told_in_the_words_of_the_first():
    async def run() -> int:
        async with serving(error(400, "first"), error(400, "later")) as (endpoint, server):
            with pytest.raises(EndpointRejected, match="first"):
                await endpoint.generate(question(n=2, stop=("\n",), seed=1, max_tokens=5, prefix="x", temperature=0.0))
            assert endpoint.capabilities("m") == Capabilities()
            return len(server.seen)

    assert asyncio.run(run()) <= 10


def test_a_limit_that_is_passed_over_is_said_by_its_other_name():
    usage = {"prompt_tokens": 5, "completion_tokens": 50}
    act = answering(lambda _: (200, chat_completion("2", usage=usage)))
    _, seen, _ = asked(act, {"max_tokens": 10}, {"max_tokens": 10})
    assert "max_completion_tokens" in seen[1].body


def test_stop_texts_are_cut_here_where_the_server_does_not_bear_them():
    def writing_on(seen: Seen) -> tuple[int, Any]:
        if "stop" in seen.body:
            return 500, {"error": "substring not found"}
        return 200, chat_completion("one\ntwo\nthree")

    replies, _, _ = asked(answering(writing_on), {"stop": ("\n", "w")})
    assert [(said.text, said.finish, said.ended) for said in replies[0]] == [("one", "stop", False)]


def test_stop_texts_that_the_server_passes_over_are_cut_here():
    act = answering(lambda _: (200, chat_completion("one two", finish_reason="length")))
    replies, _, _ = asked(act, {"stop": (" ",)})
    assert [(said.text, said.finish, said.ended) for said in replies[0]] == [("one", "stop", False)]


PREFIX = "First, take 3 from 10.\n\n"


def test_a_prefix_is_gone_on_from_in_the_message_left_open():
    _, seen, _ = asked(answering(plain), {"prefix": PREFIX})
    assert seen[0].body["messages"][-1] == {"role": "assistant", "content": PREFIX}
    assert (seen[0].body["continue_final_message"], seen[0].body["add_generation_prompt"]) == (True, False)


def test_a_server_that_leaves_no_message_open_is_given_a_flat_prompt():
    _, seen, known = asked(refusing("continue_final_message", status=422), {"prefix": PREFIX})
    assert (seen[-1].path, seen[-1].body["prompt"]) == ("/v1/completions", f"What is 1 + 1?\n{PREFIX}")
    assert known == Capabilities(continuation="completions")


def test_a_server_with_neither_is_asked_by_the_user_to_go_on():
    def answer(seen: Seen) -> tuple[int, Any]:
        if seen.path != "/v1/chat/completions":
            return 404, {"detail": "Not Found"}
        return (400, {}) if "continue_final_message" in seen.body else plain(seen)

    _, seen, known = asked(answering(answer), {"prefix": PREFIX}, {"prefix": PREFIX})
    assert [message["role"] for message in seen[-1].body["messages"]] == ["user", "assistant", "user"]
    assert known == Capabilities(continuation="instruction")


def test_a_server_that_begins_again_instead_of_going_on_is_found_out_and_its_tokens_counted():
    usage = {"prompt_tokens": 10, "completion_tokens": 7}

    def anew(seen: Seen) -> tuple[int, Any]:
        if seen.path == "/v1/completions":
            return 200, {"choices": [{"text": "Then add 1.", "finish_reason": "stop"}], "usage": usage}
        return 200, chat_completion("First, take 3 from 10, which is 7.", usage=usage)

    replies, _, known = asked(answering(anew), {"prefix": PREFIX})
    assert known.continuation == "completions"
    said = replies[0][0]
    assert (said.text, said.completion_tokens, said.billed_prompt_tokens) == ("Then add 1.", 14, 20)


def test_a_prefix_that_is_said_again_is_taken_off():
    act = answering(lambda _: (200, chat_completion(PREFIX + "Then add 1.")))
    replies, _, _ = asked(act, {"prefix": PREFIX})
    assert replies[0][0].text == "Then add 1."


def test_a_template_that_trims_the_separator_does_not_end_the_step_at_once():
    def trimming(seen: Seen) -> tuple[int, Any]:
        text = "\n\nThen add 1.\n\nDone."
        return 200, chat_completion("" if "stop" in seen.body else text)

    request = {"prefix": PREFIX, "stop": ("\n\n",)}
    replies, seen, known = asked(answering(trimming), request, request)
    assert [reply[0].text for reply in replies] == ["Then add 1."] * 2
    assert not known.stop_after_prefix
    assert len(seen) == 3


def test_a_server_without_chat_is_given_flat_prompts():
    def base(seen: Seen) -> tuple[int, Any]:
        return plain(seen) if seen.path == "/v1/completions" else (404, {"detail": "Not Found"})

    _, seen, known = asked(answering(base), {"n": 2}, {"prefix": "So "})
    assert [request.path for request in seen] == ["/v1/chat/completions", "/v1/completions", "/v1/completions"]
    assert seen[-1].body["prompt"] == "What is 1 + 1?\nSo "
    assert not known.chat


def test_a_flat_prompt_is_made_as_told():
    def flatten(messages: Any, prefix: str) -> str:
        return "|".join(message.content for message in messages) + "|" + prefix

    act = answering(lambda seen: plain(seen) if seen.path == "/v1/completions" else (405, {}))
    _, seen, _ = asked(act, {"prefix": "So"}, flatten=flatten)
    assert seen[-1].body["prompt"] == "What is 1 + 1?|So"


@pytest.mark.parametrize(
    ("choice", "stop", "told"),
    [
        ({"stop_reason": None}, ("\n",), (True, "stop")),
        ({"stop_reason": 128009}, ("\n",), (True, "stop")),
        ({"stop_reason": "\n"}, ("\n",), (False, "stop")),
        ({}, ("\n",), (None, "stop")),
        ({}, (), (True, "stop")),
        ({"finish_reason": "length"}, (), (False, "length")),
        ({"finish_reason": "length", "stop_reason": None}, ("\n",), (False, "length")),
        ({"finish_reason": None}, ("\n",), (None, "stop")),
        ({"finish_reason": "content_filter"}, (), (None, "error")),
    ],
)
def test_what_ended_a_completion_is_told_as_far_as_the_server_does(
    choice: dict[str, Any], stop: tuple[str, ...], told: tuple[bool | None, str]
):
    act = answering(lambda _: (200, chat_completion("2", **choice)))
    replies, _, _ = asked(act, {"stop": stop})
    assert [(said.ended, said.finish) for said in replies[0]] == [told]


@pytest.mark.parametrize(
    ("content", "text", "finish"), [(None, "", "error"), ([{"type": "text", "text": "2"}], "2", "stop")]
)
def test_content_that_is_no_text_is_read_as_far_as_it_can_be(content: Any, text: str, finish: str):
    act = answering(lambda _: (200, chat_completion(content)))
    replies, _, _ = asked(act, {})
    assert [(said.text, said.finish) for said in replies[0]] == [(text, finish)]


def test_reasoning_that_leaves_nothing_for_the_answer_is_an_answer_cut_off():
    usage = {"prompt_tokens": 5, "completion_tokens": 200, "completion_tokens_details": {"reasoning_tokens": 200}}
    act = answering(lambda _: (200, chat_completion("", usage=usage, finish_reason="length")))
    replies, _, _ = asked(act, {"max_tokens": 200})
    assert [(said.text, said.finish, said.completion_tokens) for said in replies[0]] == [("", "length", 200)]


def test_no_choice_that_is_billed_all_the_same_is_counted():
    act = reply({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 9}})
    replies, _, _ = asked(act, {})
    assert [(said.finish, said.completion_tokens) for said in replies[0]] == [("error", 9)]


def test_parts_of_a_message_are_passed_on_as_they_are():
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:x"}}]

    async def run() -> Any:
        async with serving(answering(plain)) as (endpoint, server):
            request = question()
            await endpoint.generate(type(request)("m", (Message("user", parts),)))
            return server.seen[0].body["messages"][0]["content"]

    assert asyncio.run(run()) == parts


def test_models_are_listed():
    async def run() -> list[str]:
        async with serving(reply({"data": [{"id": "a"}, {"id": "b"}, "c", {}]})) as (endpoint, _):
            return list(await endpoint.models())

    assert asyncio.run(run()) == ["a", "b"]
