"""Token counts are read as they are billed, whatever else stands in an answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hostile import answering, chat_completion
from hypothesis import given
from hypothesis import strategies as st
from serving import question, serving

from planner.core import Completion, Message
from planner.execution.openai.answer import Answer
from planner.execution.openai.completions import absorbing, read_completions, share
from planner.execution.openai.parsing import Usage, read_choices, read_usage
from planner.execution.openai.texts import cut
from planner.execution.openai.tokens import TokenEstimate

COUNTS = st.integers(1, 10**6)
NAMES = st.sampled_from([
    "usage", "choices", "message", "content", "text", "finish_reason", "stop_reason", "error",
    "prompt_tokens", "completion_tokens", "total_tokens",
    "prompt_tokens_details", "completion_tokens_details", "cached_tokens", "reasoning_tokens",
])  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=6),
    max_leaves=20,
)


@given(ANYTHING)
def test_any_json_is_read_without_an_error(data: Any):
    usage = read_usage(data)
    assert usage.prompt_tokens is None or usage.prompt_tokens > 0
    assert usage.completion_tokens is None or usage.completion_tokens > 0
    assert 0 <= usage.cached_tokens <= (usage.prompt_tokens or 0)
    assert 0 <= usage.reasoning_tokens <= (usage.completion_tokens or 0)
    for choice in read_choices(data):
        assert choice.finish in {"stop", "length", "error"}


@given(st.dictionaries(NAMES, ANYTHING, max_size=4), st.integers(1, 4))
def test_any_json_object_makes_completions_that_hold_together(data: dict[str, Any], n: int):
    answer = Answer(status=200, body=json.dumps(data).encode())
    said = read_completions(answer, question(n=n, stop=("\n",)), stop_sent=True, estimate=TokenEstimate())
    for completion in said:
        assert "\n" not in completion.text or completion.finish == "error"
        assert (completion.prompt_tokens or 0) >= (completion.billed_prompt_tokens or 0) >= 0
        assert completion.completion_tokens is not None


@given(prompt=COUNTS, completion=COUNTS, reasoning=st.integers(0, 10**6))
def test_reasoning_is_billed_once_wherever_it_is_counted(prompt: int, completion: int, reasoning: int):
    apart = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion + reasoning}
    within = {"prompt_tokens": prompt, "completion_tokens": completion + reasoning}
    within["total_tokens"] = prompt + completion + reasoning
    details = {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    for usage in (apart | details, within | details):
        assert read_usage({"usage": usage}).completion_tokens == completion + reasoning


def test_more_reasoning_than_completion_shows_that_it_is_left_out():
    usage = {"completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 90}}
    assert read_usage({"usage": usage}) == Usage(None, 0, 100, 90)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
        {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}},
        {"prompt_tokens": 9.0, "completion_tokens": 3.0, "prompt_cache_hit_tokens": 4},
    ],
)
def test_the_names_of_several_providers_are_known(usage: dict[str, Any]):
    assert read_usage({"usage": usage}) == Usage(9, 4, 3, 0)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "7", None, float("nan"), float("inf"), 10**12, [1]])
def test_a_count_that_cannot_be_right_is_unknown(count: Any):
    assert read_usage({"usage": {"prompt_tokens": count, "completion_tokens": count}}) == Usage()


@given(total=st.integers(0, 10**6), weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_shares_add_up_to_the_total(total: int, weights: list[int]):
    shares = share(total, weights)
    assert sum(shares) == total
    assert min(shares) >= 0


@given(total=st.integers(0, 10**5), weights=st.lists(st.integers(1, 100), min_size=1, max_size=9))
def test_shares_are_near_their_proportion(total: int, weights: list[int]):
    for given_, weight in zip(share(total, weights), weights, strict=True):
        assert abs(given_ - total * weight / sum(weights)) <= 1.0


def said(*texts: str, usage: dict[str, Any] | None, n: int = 1) -> tuple[Completion, ...]:
    async def run() -> tuple[Completion, ...]:
        act = answering(lambda _: (200, chat_completion(*texts, usage=usage)))
        async with serving(act) as (endpoint, _):
            return await endpoint.generate(question(n=n))

    return asyncio.run(run())


def test_a_request_for_several_choices_reads_the_prompt_for_each_and_is_billed_it_once():
    usage = {"prompt_tokens": 12, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 8}}
    completions = said("a" * 10, "b" * 20, usage=usage, n=2)
    assert [each.prompt_tokens for each in completions] == [12, 12]
    assert [each.billed_prompt_tokens for each in completions] == [12, 0]
    assert [each.cached_tokens for each in completions] == [8, 8]
    assert [each.completion_tokens for each in completions] == [10, 20]
    assert not any(each.estimated for each in completions)


def test_hidden_reasoning_is_shared_in_equal_parts():
    usage = {"prompt_tokens": 1, "completion_tokens": 130, "completion_tokens_details": {"reasoning_tokens": 100}}
    assert [each.completion_tokens for each in said("a", "bb", usage=usage, n=2)] == [60, 70]


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_missing_counts_are_estimated_and_marked(usage: dict[str, Any] | None):
    (completion,) = said("a" * 400, usage=usage)
    assert (completion.completion_tokens, completion.estimated) == (100, True)
    assert completion.prompt_tokens == 4 + 4  # 16 characters, and what a message costs beside them


def test_a_prompt_count_alone_leaves_the_rest_estimated():
    (completion,) = said("a" * 400, usage={"prompt_tokens": 7})
    assert (completion.prompt_tokens, completion.estimated) == (7, True)


@given(tokens_a_byte=st.floats(0.05, 1.0))
def test_estimates_come_near_what_the_server_counts(tokens_a_byte: float):
    estimate = TokenEstimate()
    for _ in range(50):
        estimate.learn(1000, round(1000 * tokens_a_byte))
    assert estimate.tokens(1000) == pytest.approx(1000 * tokens_a_byte, rel=0.05, abs=2)


def test_an_estimate_counts_the_text_in_parts_of_a_message():
    parts = [{"type": "text", "text": "a" * 40}, {"type": "image_url", "image_url": {}}, "odd"]
    assert TokenEstimate().prompt_tokens((Message("user", parts),), "b" * 40) == 20 + 4


@given(st.text(alphabet="ab\n", max_size=20), st.lists(st.sampled_from(["\n", "ab", "b\n", ""]), max_size=3))
def test_a_cut_text_holds_no_stop_text(text: str, stops: list[str]):
    kept, was_cut = cut(text, stops)
    assert text.startswith(kept)
    assert was_cut == any(stop in text for stop in stops if stop)
    assert not any(stop in kept for stop in stops if stop)


def test_tokens_of_what_was_dropped_are_borne_by_the_first_that_is_kept():
    each = Completion("a", prompt_tokens=5, completion_tokens=3, billed_prompt_tokens=5)
    kept = absorbing((each, each), (each,))
    assert [(part.prompt_tokens, part.completion_tokens, part.billed_prompt_tokens) for part in kept] == [
        (10, 6, 10),
        (5, 3, 5),
    ]
