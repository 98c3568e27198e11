"""The gateway as OpenAI's own client sees it."""

from __future__ import annotations

import threading
from functools import partial

import httpx
import openai
import pytest
from execution.hostile import chat, delayed, error, reply
from gateway_world import ASKED, RIGHT, TOOLS, USAGE, held, logged

from tests.in_thread import beside, wait_until

AUTO = {"model": "auto", "messages": ASKED}


def test_an_answer_is_a_complete_chat_completion(ask):
    answer = ask().chat.completions.create(**AUTO)
    choice = answer.choices[0]
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.created > 1e9
    assert (choice.index, choice.message.role, choice.finish_reason) == (0, "assistant", "stop")
    assert "Answer: 55" in choice.message.content
    assert answer.model in {"lab-small", "lab-large"}


def test_usage_is_that_of_all_calls_with_verifiers(ask):
    answer = ask().chat.completions.create(**AUTO, extra_body={"planner": {"selections": ["best_of_n"]}})
    cost = answer.planner["cost"]
    assert answer.usage.prompt_tokens == cost["prompt_tokens"] + cost["verifier_tokens"]
    assert answer.usage.completion_tokens == cost["completion_tokens"]
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert cost["verifier_tokens"] > 0
    assert {one["model"] for one in answer.planner["usage"]} >= {"lab-prm"}


def test_the_plan_and_its_cost_stand_in_one_member_and_in_headers(ask):
    raw = ask().chat.completions.with_raw_response.create(**AUTO)
    said = raw.parse().planner
    assert said["status"] == "ok"
    assert said["reason"]
    assert said["forecast"]["accuracy"] > 0.5
    assert raw.headers["x-planner-run-id"] == said["run_id"]
    assert raw.headers["x-planner-recommendation-id"] == said["recommendation_id"]
    assert raw.headers["x-planner-arm"] == said["plan"]
    for unit in ("generations", "flops"):
        assert float(raw.headers[f"x-planner-cost-{unit}"]) == pytest.approx(said["cost"][unit])
    assert all(value.isascii() and value.isprintable() for value in raw.headers.values())


def test_every_run_is_logged_with_its_recommendation_and_propensity(ask, live):
    said = ask().chat.completions.create(**AUTO).planner
    (run,) = _logged_soon(1)
    assert (run.run_id, run.recommendation_id, run.propensity) == (said["run_id"], said["recommendation_id"], 1.0)
    assert run.samples


def test_a_known_prompt_is_graded_by_its_reference(ask):
    member = {"prompt_id": "mine", "dataset": "d", "reference": "55", "metadata": {"grade": "command:false"}}
    said = ask().chat.completions.create(**AUTO, extra_body={"planner": member}).planner
    (run,) = _logged_soon(1)
    assert (said["correct"], run.correct, run.prompt_id, run.dataset) == (1.0, 1.0, "mine", "d")


def test_a_stream_has_role_text_end_and_usage(ask):
    chunks = list(ask().chat.completions.create(**AUTO, stream=True, stream_options={"include_usage": True}))
    *told, last = chunks
    assert told[0].choices[0].delta.role == "assistant"
    assert "Answer: 55" in "".join(chunk.choices[0].delta.content or "" for chunk in told)
    assert [chunk.choices[0].finish_reason for chunk in told] == [None] * (len(told) - 1) + ["stop"]
    assert told[-1].planner["status"] == "ok"
    assert last.choices == []
    assert last.usage.completion_tokens > 0
    assert {(chunk.id, chunk.model, chunk.object) for chunk in chunks} == {
        (last.id, last.model, "chat.completion.chunk")
    }


def test_a_stream_tells_no_usage_unless_it_is_asked_for(ask):
    chunks = list(ask().chat.completions.create(**AUTO, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_models_are_listed_with_auto_and_every_generator_that_can_be_planned_with(ask):
    client = ask()
    listed = {model.id: model for model in client.models.list()}
    assert {"auto", "auto-lab-small", "auto-lab-large", "lab-small", "lab-prm"} <= listed.keys()
    assert listed["lab-prm"].planner["kind"] == "prm"
    assert client.models.retrieve("auto-lab-small").object == "model"


def test_auto_with_a_generator_plans_with_that_one_alone(ask):
    answer = ask().chat.completions.create(model="auto-lab-large", messages=ASKED)
    assert answer.model == "lab-large"
    assert {one["model"] for one in answer.planner["usage"]} <= {"lab-large", "lab-prm"}


def test_a_model_that_is_logged_as_auto_does_not_take_the_name_from_what_is_planned(ask, monkeypatch):
    monkeypatch.setattr("planner.service.gateway.names.CARDS_SECONDS", 0.0)
    client = ask()
    for name in ("auto", "auto-lab-small"):
        client.post("/runs", body={"prompt": "x", "generator": name, "answer": "2"}, cast_to=object)
    for name in ("auto", "bon-auto", "auto-lab-small"):
        assert client.chat.completions.create(model=name, messages=ASKED).planner is not None, name
    listed = [model.id for model in client.models.list()]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", ["none", "auto-none", "bon-none", "auto-lab-prm", "bon-lab-prm"])
def test_an_unknown_model_is_not_found(ask, name):
    with pytest.raises(openai.NotFoundError) as caught:
        ask().chat.completions.create(model=name, messages=ASKED)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_unknown_model_is_not_found_among_the_models_either(ask):
    with pytest.raises(openai.NotFoundError):
        ask().models.retrieve("none")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"n": 2}, "n: one answer"),
        ({"max_tokens": 0}, "max_tokens: an answer has one"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 7}, "temperature"),
        ({"messages": []}, "messages"),
        ({"extra_body": {"planner": {"max_tokens": 1}}}, "least budget"),
        ({"extra_body": {"planner": {"wishes": 1}}}, "planner.wishes"),
        ({"extra_body": {"planner": {"mean_usd": 1, "mean_tokens": 1}}}, "planner: at most one average"),
        ({"extra_body": {"planner": {"grade": "command:true"}}}, "planner.grade"),
        (
            {"model": "auto-lab-large", "extra_body": {"planner": {"arm": {"generator": "lab-small"}}}},
            "the arm that is given has the generator 'lab-small', but 'lab-large' is asked for",
        ),
        ({"extra_body": {"optillm_approach": "moa"}}, "optillm_approach"),
        ({"extra_headers": {"X-ITS-Budget": "many"}}, "x-its-budget"),
    ],
)
def test_what_cannot_be_done_is_a_bad_request_in_words(ask, members, said):
    with pytest.raises(openai.BadRequestError, match=said):
        ask().chat.completions.create(**AUTO | members)


@pytest.mark.parametrize("model", ["auto", "lab-small"])
def test_a_prompt_that_is_too_long_is_told_as_too_large(ask, model):
    with pytest.raises(openai.APIStatusError, match="PLANNER_SERVICE_MAX_PROMPT_CHARACTERS") as caught:
        ask(service_max_prompt_characters=10).chat.completions.create(**AUTO | {"model": model})
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")


def test_tokens_have_the_clients_own_errors(live):
    url = f"{live(service_token='boss', service_read_token='guest')}/v1"
    wrong = openai.OpenAI(base_url=url, api_key="wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError):
        wrong.models.list()
    with openai.OpenAI(base_url=url, api_key="guest", max_retries=0) as client:
        assert client.models.list().data
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**AUTO)


def test_too_many_requests_have_the_clients_own_error(ask, scripted):
    done = threading.Event()
    server = scripted(held(done, RIGHT))
    client = ask(endpoint_url=server.url, service_max_concurrency=1)
    first = partial(client.chat.completions.create, model="lab-small", messages=ASKED)
    with beside(first, end=done.set):
        wait_until(lambda: server.seen)
        with pytest.raises(openai.RateLimitError) as caught:
            client.models.list()
        figures = httpx.get(str(client.base_url.join("/metrics")))
    assert caught.value.response.headers["retry-after"]
    assert figures.status_code == 200  # looked at when there is too much


def test_an_endpoint_that_fails_is_told_as_such_and_not_to_be_asked_again(ask, scripted):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(endpoint_url=scripted(error(400, "what is this")).url).chat.completions.create(**AUTO)
    assert caught.value.status_code == 502
    assert caught.value.response.headers["x-should-retry"] == "false"


TOO_LONG = {"message": "This model's maximum context length is 8 tokens", "code": "context_length_exceeded"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_too_long_for_the_model_is_a_bad_request(ask, scripted, stream):
    client = ask(endpoint_url=scripted(reply({"error": TOO_LONG}, status=400)).url)
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8 tokens") as caught:
        client.chat.completions.create(**AUTO, stream=stream)
    assert (caught.value.code, caught.value.type) == ("context_length_exceeded", "invalid_request_error")


def test_a_prompt_that_is_too_long_is_told_late_in_a_stream_by_its_code(ask, scripted):
    late = delayed(0.4, reply({"error": TOO_LONG}, status=400))
    client = ask(endpoint_url=scripted(late).url, service_keepalive_seconds=0.1)
    with pytest.raises(openai.APIError, match="context length") as caught:
        list(client.chat.completions.create(**AUTO, stream=True))
    assert caught.value.code == "context_length_exceeded"


def test_a_prompt_that_is_too_long_for_the_laboratory_is_a_bad_request(ask):
    long = [{"role": "user", "content": "Start with 11. " + "Add 5. " * 400 + "How many now?"}]
    for model in ("auto", "lab-small"):
        with pytest.raises(openai.BadRequestError) as caught:
            ask().chat.completions.create(model=model, messages=long)
        assert caught.value.code == "context_length_exceeded"


def test_without_a_policy_the_command_is_named(ask, home):
    (home / "planner.db").rename(home / "old.db")
    with pytest.raises(openai.ConflictError, match="planner fit"):
        ask().chat.completions.create(**AUTO)


def test_without_an_endpoint_the_setting_is_named(live):
    from starlette.testclient import TestClient

    from planner.config import Settings
    from planner.service.app import create_app

    with TestClient(create_app(Settings.load()), base_url="http://127.0.0.1") as client:
        answer = client.post("/v1/chat/completions", json=AUTO)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_ready")
    assert "PLANNER_ENDPOINT_URL" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("members", "budget"),
    [
        ({"extra_headers": {"X-ITS-Budget": "2"}}, {"max_generations": 2}),
        ({"extra_body": {"budget": 3}, "extra_headers": {"X-ITS-Budget": "2"}}, {"max_generations": 3}),
        ({"extra_body": {"budget": 3, "planner": {"max_tokens": 900}}}, {"max_tokens": 900}),
    ],
)
def test_budgets_of_other_gateways_are_kept(ask, members, budget):
    said = ask().chat.completions.create(**AUTO, **members).planner
    assert {name: value for name, value in said["budget"].items() if value is not None} == budget
    assert said["cost"]["generations"] <= budget.get("max_generations", 99)


@pytest.mark.parametrize(
    ("members", "selection"),
    [
        ({"model": "bon-lab-small"}, "best_of_n"),
        ({"model": "bon-auto"}, "best_of_n"),
        ({"model": "self_consistency-lab-small"}, "majority_vote"),
        ({"model": "lab-small", "extra_body": {"optillm_approach": "bon"}}, "best_of_n"),
    ],
)
def test_optillms_prefixes_force_a_strategy(ask, members, selection):
    said = ask().chat.completions.create(messages=ASKED, **members).planner
    assert (said["arm"]["search"], said["arm"]["selection"]) == ("sampling", selection)
    assert said["arm"]["generator"] == "lab-small" or members["model"] == "bon-auto"


def test_the_servers_budget_holds_where_a_request_has_none(ask):
    said = ask(service_budget={"max_generations": 2}).chat.completions.create(**AUTO).planner
    assert said["budget"]["max_generations"] == 2


ARM = {"generator": "lab-small", "selection": "majority_vote", "breadth": 8}


@pytest.mark.parametrize("member", [{"arm": ARM}, {"target_accuracy": 0.99}])
def test_the_servers_ceilings_hold_for_an_arm_and_a_target_too(ask, member):
    client = ask(service_budget={"max_generations": 2})
    said = client.chat.completions.create(**AUTO, extra_body={"planner": member}).planner
    assert said["budget"]["max_generations"] == 2
    assert said["cost"]["generations"] <= 2


def test_an_average_of_the_servers_does_not_end_an_arm_that_is_named(ask):
    client = ask(service_budget={"mean_generations": 1})
    said = client.chat.completions.create(**AUTO, extra_body={"planner": {"arm": ARM}}).planner
    assert (said["cost"]["generations"], said["status"]) == (8, "ok")


def test_without_any_budget_an_average_of_a_few_samples_is_kept(ask):
    said = ask().chat.completions.create(**AUTO).planner
    assert [name for name, value in said["budget"].items() if value is not None] == ["mean_flops"]


def test_a_client_s_limits_are_kept(ask):
    answer = ask().chat.completions.create(**AUTO, max_tokens=4, extra_body={"planner": {"max_generations": 1}})
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens <= 4


def test_an_answer_ends_at_the_client_s_stop_text(ask):
    answer = ask().chat.completions.create(**AUTO, stop=["Answer"], extra_body={"planner": {"max_generations": 1}})
    assert "Answer" not in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_an_answer_that_the_servers_rules_keep_back_is_told_as_such(ask, scripted):
    server = scripted(chat(None, finish_reason="content_filter", usage=USAGE))
    answer = ask(endpoint_url=server.url).chat.completions.create(
        **AUTO, extra_body={"planner": {"max_generations": 2}}
    )
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("content_filter", "")
    assert answer.usage.completion_tokens > 0


@pytest.mark.parametrize("member", ["adapt", "arm", "generators", "searches", "selections", "metadata", "prompt_id"])
def test_a_null_is_as_good_as_nothing(ask, member):
    assert ask().chat.completions.create(**AUTO, extra_body={"planner": {member: None}}).planner["status"] == "ok"


def test_what_a_planned_answer_does_not_keep_is_named(ask):
    said = ask().chat.completions.create(**AUTO, top_p=0.5, temperature=0, user="me").planner
    assert said["ignored"] == ["temperature", "top_p"]


def test_tools_go_to_the_generator_that_a_plan_begins_with(ask, scripted):
    server = scripted(RIGHT)
    raw = ask(endpoint_url=server.url).chat.completions.with_raw_response.create(
        **AUTO, tools=TOOLS, extra_body={"planner": {"max_generations": 4}}
    )
    assert raw.headers["x-planner-untouched"] == "tools"
    assert server.seen[-1].body == {"model": server.seen[-1].body["model"], "messages": ASKED, "tools": TOOLS}
    assert server.seen[-1].body["model"] in {"lab-small", "lab-large"}


@pytest.mark.parametrize("generator", ["lab-small", "lab-large"])
def test_a_conversation_with_tools_stays_with_the_generator_that_its_plan_begins_with(ask, scripted, generator):
    server = scripted(RIGHT)
    client = ask(endpoint_url=server.url)
    called = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    more = [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "1", "content": "55"},
    ]
    member = {"arm": {"generator": generator}}
    for messages in (ASKED, ASKED + more):
        client.chat.completions.create(model="auto", messages=messages, tools=TOOLS, extra_body={"planner": member})
    assert [seen.body["model"] for seen in server.seen] == [generator] * 2
    assert server.seen[-1].body["messages"] == ASKED + more


def _logged_soon(n: int) -> list:
    wait_until(lambda: len(logged()) == n)
    return logged()
