"""Scores over HTTP: three protocols, learned from the first answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hostile import Act, HostileServer, Seen, answering, error, reply
from hypothesis import given
from hypothesis import strategies as st
from serving import KEY, FakeTime

from planner.core import Message, Verdict, Verify
from planner.errors import EndpointError, EndpointRejected, EndpointUnavailable
from planner.execution.openai import OpenAIEndpoint
from planner.execution.verifiers import RemoteVerifier
from planner.execution.verifiers.scores import Scale, read_scores

CANDIDATES = ("one\n\ntwo", "three", "four")


def request(*candidates: str) -> Verify:
    return Verify("prm", (Message("user", "What is 1 + 1?"),), candidates or CANDIDATES)


def verified(*acts: Act, times: int = 1, path: str = "", **options: Any) -> tuple[tuple[Verdict, ...], list[Seen]]:
    async def run() -> tuple[tuple[Verdict, ...], list[Seen]]:
        async with HostileServer(acts) as server:
            verifier = RemoteVerifier(server.url + path, sleep=FakeTime().sleep, **options)
            try:
                for _ in range(times):
                    verdicts = await verifier.verify(request())
            finally:
                await verifier.aclose()
            return verdicts, server.seen

    return asyncio.run(run())


def scores_of(verdicts: tuple[Verdict, ...]) -> list[tuple[float | None, tuple[float, ...] | None]]:
    return [(verdict.score, verdict.step_scores) for verdict in verdicts]


def steps(seen: Seen) -> tuple[int, Any]:
    """A scorer of steps, as `planner lab serve` has it."""
    if seen.path != "/v1/score" or "completions" not in seen.body:
        return 400, {"detail": "completions?"}
    return 200, {"scores": [[0.5] * text.count("\n\n") + [0.75] for text in seen.body["completions"]]}


def pairs(seen: Seen) -> tuple[int, Any]:
    """A cross-encoder, as vLLM serves it."""
    if seen.path != "/v1/score" or "text_2" not in seen.body:
        return 422, {"detail": [{"loc": ["body", "text_1"], "msg": "Field required"}]}
    data = [{"index": place, "score": 0.25 * place} for place in range(len(seen.body["text_2"]))]
    return 200, {"data": data[::-1], "usage": {"prompt_tokens": 60}}


def pooling(seen: Seen) -> tuple[int, Any]:
    """A process reward model, as vLLM serves it: a row of wrong and right for each step tag."""
    if seen.path != "/pooling":
        return 404, {"detail": "Not Found"}
    tags = seen.body["messages"][-1]["content"].count("<extra_0>")
    rows = [[0.4, 0.6]] * (tags - 1) + [[0.1, 0.9]]
    return 200, {"data": [{"index": 0, "object": "pooling", "data": rows}], "usage": {"prompt_tokens": 20}}


def test_step_scores_are_read_and_the_last_is_the_score():
    verdicts, seen = verified(answering(steps), times=2)
    assert scores_of(verdicts) == [(0.75, (0.5, 0.75)), (0.75, (0.75,)), (0.75, (0.75,))]
    assert [sent.body["prompt"] for sent in seen] == ["What is 1 + 1?"] * 2
    assert all(verdict.generations == 0.0 and verdict.estimated and verdict.tokens for verdict in verdicts)


def test_pairs_are_put_in_order_and_their_tokens_shared():
    verdicts, seen = verified(answering(pairs), times=2)
    assert scores_of(verdicts) == [(0.0, None), (0.25, None), (0.5, None)]
    assert sum(verdict.tokens or 0 for verdict in verdicts) == 60
    assert not any(verdict.estimated for verdict in verdicts)
    assert len(seen) == 3  # the first of two asked in two protocols


def test_pooled_rows_are_the_steps_chances_of_being_right():
    verdicts, seen = verified(answering(pooling), times=2, step_tag="<extra_0>")
    assert scores_of(verdicts) == [(0.9, (0.6, 0.9)), (0.9, (0.9,)), (0.9, (0.9,))]
    assert seen[-3].body["messages"][-1] == {"role": "assistant", "content": "one<extra_0>two<extra_0>"}
    assert sum(verdict.tokens or 0 for verdict in verdicts) == 60


@pytest.mark.parametrize(("path", "act", "n_requests"), [("/score", pairs, 2), ("/pooling", pooling, 3)])
def test_a_url_may_say_where_scores_are(path: str, act: Any, n_requests: int):
    _, seen = verified(answering(act), path=path)
    assert len(seen) == n_requests


def test_a_given_protocol_alone_is_tried():
    with pytest.raises(EndpointRejected, match="as pooling"):
        verified(answering(steps), protocol="pooling")


def test_a_server_without_scores_says_what_to_give():
    with pytest.raises(EndpointRejected, match=r"answered 404 .* PLANNER_VERIFIER_URL"):
        verified(error(404))


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (reply({"scores": [0.5]}), EndpointRejected),
        (reply({"scores": "high"}), EndpointRejected),
        (reply({"data": [1, 2, 3]}), EndpointRejected),
        (reply([0.5, 0.5, 0.5]), EndpointRejected),
        (error(503), EndpointUnavailable),
        (error(401), EndpointRejected),
    ],
)
def test_answers_that_are_no_scores_end_in_an_error(act: Act, kind: type[EndpointError]):
    with pytest.raises(kind):
        verified(act)


def test_a_candidate_whose_score_cannot_be_read_has_none():
    verdicts, _ = verified(reply({"scores": [0.5, None, ["a"]]}))
    assert [verdict.score for verdict in verdicts] == [0.5, None, None]


def test_a_candidate_that_fails_beside_others_has_no_score():
    def failing(seen: Seen) -> tuple[int, Any]:
        return (400, {}) if "three" in str(seen.body) else pooling(seen)

    verdicts, _ = verified(answering(failing), protocol="pooling", step_tag="<extra_0>")
    assert [verdict.score for verdict in verdicts] == [0.9, None, 0.9]


def test_no_candidates_are_no_request():
    async def run() -> tuple[Verdict, ...]:
        return await RemoteVerifier("http://127.0.0.1:9").verify(Verify("prm", (), ()))

    assert asyncio.run(run()) == ()


def test_logits_are_mapped_to_chances_once_they_show_themselves():
    verdicts, _ = verified(reply({"scores": [0.0, 3.0, -1000.0]}))
    assert [verdict.score for verdict in verdicts] == pytest.approx([0.5, 0.9526, 0.0], abs=1e-4)


def test_a_known_scale_is_kept():
    assert Scale("probability").mapped(1.5) is None
    assert Scale("logit").mapped(0.0) == 0.5


@given(st.lists(st.floats(allow_nan=False), min_size=2), st.booleans())
def test_mapped_scores_lie_in_0_to_1_and_keep_their_order(raw: list[float], twice: bool):  # noqa: FBT001 - drawn
    scale = Scale()
    scale.learn(raw)
    mapped = [scale.mapped(score) for score in sorted(raw)]
    known = [score for score in mapped if score is not None]
    assert len(known) == len(raw)
    assert known == sorted(known)
    assert 0.0 <= known[0] <= known[-1] <= 1.0


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (0.5, ([0.5], False)),
        ([0.5], ([0.5], False)),
        ([0.5, 1], ([0.5, 1.0], True)),
        ([[0.2, 0.8]], ([0.8], True)),
        ([[0.2, 0.8], [0.4, 0.6]], ([0.8, 0.6], True)),
        ([], None), ([[]], None), (None, None), ("0.5", None), (True, None), ([0.5, None], None), (float("nan"), None),
    ],
)  # fmt: skip
def test_scores_are_read_in_any_nesting(item: Any, read: Any):
    assert read_scores(item) == read


def test_the_key_of_the_generators_goes_to_a_verifier_of_the_same_origin_only():
    async def run() -> list[str | None]:
        async with HostileServer([answering(steps)]) as own, HostileServer([answering(steps)]) as other:
            keys = []
            for url, options in [(own.url, {}), (other.url, {}), (other.url, {"verifier_api_key": "sk-other"})]:
                endpoint = OpenAIEndpoint(own.url, api_key=KEY, verifier_url=url, **options)
                await endpoint.verify(request())
                await endpoint.aclose()
                keys.append([*own.seen, *other.seen][-1].headers.get("authorization"))
            return keys

    assert asyncio.run(run()) == [f"Bearer {KEY}", None, "Bearer sk-other"]


def test_scores_are_asked_for_at_the_generators_server_where_no_other_is_given():
    async def run() -> tuple[Verdict, ...]:
        async with HostileServer([answering(steps)]) as server:
            endpoint = OpenAIEndpoint(server.url)
            try:
                return await endpoint.verify(request("x"))
            finally:
                await endpoint.aclose()

    assert [verdict.score for verdict in asyncio.run(run())] == [0.75]
