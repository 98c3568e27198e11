from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import openai
import pytest

from planner.lab.server.app import MAX_BODY_BYTES, create_app
from tests.in_thread import served

QUESTION = "Start with 5. Add 4. Double it. How many now?"
MESSAGES = [{"role": "user", "content": QUESTION}]
SOLUTION = "5 + 4 = 9\n9 * 2 = 18\nAnswer: 18"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(create_app(), log_level="error") as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def chat(client: openai.OpenAI, **members):
    return client.chat.completions.create(**{"model": "lab-large", "messages": MESSAGES, "temperature": 0, **members})


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["lab-small", "lab-large", "lab-reviser", "lab-prm"]


def test_a_chat_completion_has_every_member_that_clients_read(client):
    reply = chat(client)
    (choice,) = reply.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", SOLUTION, "stop")
    assert (reply.object, reply.model) == ("chat.completion", "lab-large")
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (16, 18, 34)


def test_n_choices_come_and_the_prompt_is_counted_once(client):
    reply = chat(client, n=3)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (16, 54)


def test_a_seed_gives_the_same_texts_again(client):
    texts = [
        [choice.message.content for choice in chat(client, model="lab-small", n=8, seed=5, temperature=2).choices]
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1


def test_a_stop_text_ends_a_choice_and_is_named(client):
    (choice,) = chat(client, stop=["Answer", "nowhere"]).choices
    assert (choice.message.content, choice.finish_reason) == ("5 + 4 = 9\n9 * 2 = 18\n", "stop")
    assert choice.stop_reason == "Answer"


@pytest.mark.parametrize("member", ["max_tokens", "max_completion_tokens"])
def test_a_cut_off_choice_says_so(client, member: str):
    (choice,) = chat(client, **{member: 3}).choices
    assert (choice.message.content, choice.finish_reason) == ("5 + 4", "length")


def test_a_final_message_is_gone_on_from(client):
    body = {"continue_final_message": True, "add_generation_prompt": False}
    first = chat(client, model="lab-small", stop="\n")
    assert first.choices[0].message.content == "5 + 4 = 9"
    messages = [*MESSAGES, {"role": "assistant", "content": "5 + 4 = 9\n"}]
    reply = chat(client, model="lab-small", messages=messages, stop="\n", extra_body=body)
    assert reply.choices[0].message.content == "9 * 2 = 18"
    assert reply.usage.prompt_tokens_details.cached_tokens == reply.usage.prompt_tokens == 22


def test_an_attempt_is_revised(client):
    attempt = "5 + 4 = 9\n9 * 2 = 19\nAnswer: 19"
    messages = [*MESSAGES, {"role": "assistant", "content": attempt}, {"role": "user", "content": "Revise:"}]
    assert chat(client, model="lab-reviser", messages=messages).choices[0].message.content == SOLUTION


def test_log_probabilities_of_a_chat_are_those_of_its_text(client):
    (choice,) = chat(client, logprobs=True, top_logprobs=2, stop="Answer").choices
    entries = choice.logprobs.content
    assert "".join(entry.token for entry in entries) == choice.message.content
    assert all(entry.top_logprobs[0].token == entry.token for entry in entries)
    assert all(entry.logprob == entry.top_logprobs[0].logprob > entry.top_logprobs[1].logprob for entry in entries)
    assert bytes(entries[0].bytes) == b"5"


def test_log_probabilities_of_a_text_have_their_offsets(client):
    reply = client.completions.create(model="lab-large", prompt=QUESTION + "\n", temperature=0, logprobs=1)
    (choice,) = reply.choices
    told = choice.logprobs
    assert choice.text == SOLUTION == "".join(told.tokens)
    assert all(SOLUTION[offset:].startswith(t) for offset, t in zip(told.text_offset, told.tokens, strict=True))
    assert len(told.token_logprobs) == len(told.top_logprobs) == len(told.tokens)


def test_several_prompts_are_completed_each(client):
    prompts = [QUESTION + "\n", "Start with 7. Triple it. How many now?\n"]
    reply = client.completions.create(model="lab-large", prompt=prompts, temperature=0, n=2)
    assert [choice.text for choice in reply.choices] == [SOLUTION] * 2 + ["7 * 3 = 21\nAnswer: 21"] * 2


def test_a_prompt_may_be_tokens_or_hold_special_ones(client):
    from planner.lab.tokenizer import BOS, tokenizer

    tokens = [BOS, *tokenizer().encode(QUESTION + "\n")]
    for prompt in (tokens, "<bos>" + QUESTION + "\n"):
        reply = client.completions.create(model="lab-large", prompt=prompt, temperature=0)
        assert (reply.choices[0].text, reply.usage.prompt_tokens) == (SOLUTION, 16)
    revised = client.completions.create(
        model="lab-reviser", prompt=f"{QUESTION}\n5 + 4 = 1\nAnswer: 1<eos>Revise:\n", temperature=0
    )
    assert revised.choices[0].text == SOLUTION


@pytest.mark.parametrize("stop", [None, "\n", "Answer: 1", "* 2 ="])
def test_a_stream_gives_the_text_of_the_whole(client, stop: str | None):
    members = {"model": "lab-small", "n": 3, "seed": 1, "temperature": 1.5, "stop": stop}
    whole = chat(client, **members)
    texts, finishes, usages = ["", "", ""], [None] * 3, []
    for chunk in chat(client, stream=True, stream_options={"include_usage": True}, **members):
        usages += [chunk.usage] if chunk.usage else []
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            finishes[choice.index] = choice.finish_reason
    assert texts == [choice.message.content for choice in whole.choices]
    assert finishes == [choice.finish_reason for choice in whole.choices]
    assert [usage.completion_tokens for usage in usages] == [whole.usage.completion_tokens]


def test_a_streamed_text_comes_in_pieces(client):
    pieces = list(client.completions.create(model="lab-large", prompt=QUESTION + "\n", temperature=0, stream=True))
    assert len(pieces) > 10
    assert "".join(piece.choices[0].text for piece in pieces) == SOLUTION


def test_a_stream_ends_as_clients_expect(url: str):
    body = {"model": "lab-large", "messages": MESSAGES, "temperature": 0, "stream": True, "logprobs": True}
    reply = httpx.post(f"{url}/chat/completions", json=body)
    events = reply.text.strip().split("\n\n")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert events[-1] == "data: [DONE]"
    first, last = (json.loads(event.removeprefix("data: "))["choices"][0] for event in (events[0], events[-2]))
    assert first["delta"]["role"] == "assistant"
    assert last["finish_reason"] == "stop"
    assert "".join(entry["token"] for entry in last["logprobs"]["content"]) == SOLUTION


def test_a_reader_who_goes_away_leaves_a_server_that_answers(client, url: str):
    body = {"model": "lab-small", "messages": MESSAGES, "n": 64, "stream": True, "max_tokens": 900, "temperature": 2}
    with httpx.stream("POST", f"{url}/chat/completions", json=body) as reply:
        next(reply.iter_lines())
    assert chat(client).choices[0].message.content == SOLUTION


@pytest.mark.parametrize("question", [{"prompt": QUESTION}, {"messages": MESSAGES}])
def test_steps_of_answers_are_scored(url: str, question: dict):
    answers = [SOLUTION, "5 + 4 = 8\n8 * 2 = 16\nAnswer: 16", "5 + 4 = 9\n"]
    reply = httpx.post(f"{url}/score", json={"model": "lab-prm", **question, "completions": answers}).json()
    right, wrong, partial = reply["scores"]
    assert (len(right), len(wrong), len(partial)) == (3, 3, 1)
    assert right[-1] > 0.9
    assert wrong[-1] < 0.3
    assert partial[0] == right[0]
    assert reply["usage"]["prompt_tokens"] == 16 * 3 + 18 + 18 + 6


@pytest.mark.parametrize(
    ("route", "body", "status", "param"),
    [
        ("chat/completions", {"model": "gpt-9", "messages": MESSAGES}, 404, "model"),
        ("chat/completions", {"model": "lab-prm", "messages": MESSAGES}, 404, "model"),
        ("chat/completions", {"model": "lab-small", "messages": []}, 400, "messages"),
        ("chat/completions", {"model": "lab-small"}, 400, "messages"),
        ("chat/completions", {"model": "lab-small", "messages": MESSAGES, "n": 0}, 400, "n"),
        ("chat/completions", {"model": "lab-small", "messages": MESSAGES, "temperature": -1}, 400, "temperature"),
        ("chat/completions", {"model": "lab-small", "messages": MESSAGES, "top_p": 0.5}, 400, None),
        ("chat/completions", {"model": "lab-small", "messages": MESSAGES, "tools": [{}]}, 400, None),
        ("chat/completions", {"model": "lab-small", "messages": MESSAGES, "top_logprobs": 2}, 400, None),
        ("chat/completions", {"model": "lab-small", "messages": MESSAGES, "continue_final_message": True}, 400, None),
        ("chat/completions", {"model": "lab-small", "messages": [{"role": "user", "content": "1 " * 1100}]}, 400, None),
        ("completions", {"model": "lab-small", "prompt": []}, 400, "prompt"),
        ("completions", {"model": "lab-small", "prompt": [5, 999]}, 400, "prompt"),
        ("score", {"model": "lab-small", "prompt": QUESTION, "completions": ["x"]}, 404, "model"),
        ("score", {"model": "lab-prm", "completions": ["x"]}, 400, None),
        ("score", {"model": "lab-prm", "prompt": QUESTION, "completions": ["1 " * 1100]}, 400, None),
        ("embeddings", {}, 404, None),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_told_in_openais_form(
    url: str, route: str, body: dict, status: int, param: str | None
):
    reply = httpx.post(f"{url}/{route}", json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], error["param"]) == (status, "invalid_request_error", param)
    assert error["message"]


def test_what_is_no_json_is_told(url: str):
    reply = httpx.post(f"{url}/chat/completions", content=b'{"model": ')
    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_body_that_is_too_long_is_told(url: str):
    reply = httpx.post(f"{url}/score", content=b" " * (MAX_BODY_BYTES + 1))
    assert reply.status_code == 413


def test_harmless_members_are_let_be(client):
    members = {"top_p": 1, "presence_penalty": 0, "user": "me", "tools": openai.NOT_GIVEN}
    assert chat(client, **members).choices[0].message.content == SOLUTION


def test_an_unknown_model_is_the_clients_own_error(client):
    with pytest.raises(openai.NotFoundError, match="lab-small"):
        chat(client, model="gpt-9")
