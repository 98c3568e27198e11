from __future__ import annotations

import asyncio

import numpy as np
import pytest

from planner.core import Completion, Generate, Message, Verdict, Verify
from planner.errors import EndpointRejected
from planner.lab import LabEndpoint
from planner.lab.problems import problems
from planner.lab.tokenizer import tokenizer

PROBLEMS = problems(60, seed=4)
QUESTION = (Message("user", "Start with 5. Add 4. Double it. How many now?"),)
QUESTION_TOKENS = 16


def asked(problem) -> tuple[Message, ...]:
    return (Message("user", problem.prompt),)


def write(lab: LabEndpoint, *requests: Generate) -> list[tuple[Completion, ...]]:
    async def run():
        return await asyncio.gather(*(lab.generate(request) for request in requests))

    return asyncio.run(run())


def judge(lab: LabEndpoint, *candidates: str, messages=QUESTION) -> tuple[Verdict, ...]:
    return asyncio.run(lab.verify(Verify("lab-prm", messages, candidates)))


def texts(completions) -> list[str]:
    return [completion.text for completion in completions]


def test_a_seed_gives_the_same_texts_alone_and_among_others(lab: LabEndpoint):
    requests = [Generate("lab-small", asked(p), n=3, seed=i, temperature=1.0) for i, p in enumerate(PROBLEMS)]
    together = write(lab, *requests)
    assert [texts(one) for one in together] == [texts(write(lab, request)[0]) for request in requests]


def test_the_first_samples_of_a_seed_do_not_depend_on_how_many_are_asked_for(lab: LabEndpoint):
    few, many = (Generate("lab-small", asked(PROBLEMS[7]), n=n, seed=3, temperature=1.2) for n in (2, 9))
    assert texts(write(lab, few)[0]) == texts(write(lab, many)[0])[:2]


def test_samples_of_one_request_differ(lab: LabEndpoint):
    hard = max(PROBLEMS, key=lambda problem: problem.n_steps)
    assert len(set(texts(write(lab, Generate("lab-small", asked(hard), n=32, seed=0, temperature=1.5))[0]))) > 1


def test_requests_without_a_seed_differ(lab: LabEndpoint):
    hard = max(PROBLEMS, key=lambda problem: problem.n_steps)
    request = Generate("lab-small", asked(hard), n=16, temperature=1.5)
    assert texts(write(lab, request)[0]) != texts(write(lab, request)[0])


def test_more_samples_than_are_written_at_once_all_come_and_are_those_of_their_seed(lab: LabEndpoint):
    request = Generate("lab-large", QUESTION, n=400, seed=1, temperature=1.5)
    all_of_them = texts(write(lab, request)[0])
    assert len(all_of_them) == 400
    assert len(set(all_of_them[:192])) > 1
    assert all_of_them[:10] == texts(write(lab, Generate("lab-large", QUESTION, n=10, seed=1, temperature=1.5))[0])


def test_temperature_zero_writes_the_likeliest_text_every_time(lab: LabEndpoint):
    found = write(
        lab,
        Generate("lab-large", QUESTION, n=3, temperature=0.0),
        Generate("lab-large", QUESTION, n=1, temperature=0.0),
    )
    assert {text for one in found for text in texts(one)} == {"5 + 4 = 9\n9 * 2 = 18\nAnswer: 18"}


def test_tokens_are_drawn_with_their_probabilities(lab: LabEndpoint):
    n, steps = (
        4000,
        Generate("lab-small", (Message("user", "books red"),), n=4000, seed=9, temperature=1.0, max_tokens=1),
    )
    drawn = texts(write(lab, steps)[0])
    words = tokenizer()
    from planner.lab.llama import Llama
    from planner.lab.prefixes import Prefixes, lines
    from planner.lab.sampling import log_softmax
    from planner.lab.weights import load

    (node,) = Prefixes(Llama(load("small"))).read([lines([1, *words.encode("books red\n")], words.newline)])
    likely = np.exp(log_softmax(node.logits))
    share = np.array([drawn.count(text) / n if text else 0.0 for text in words.texts])
    shown = np.array([bool(text) for text in words.texts])
    assert np.abs(share - likely)[shown].max() < 4 * np.sqrt(0.25 / n)


def test_a_completion_ends_before_a_stop_text(lab: LabEndpoint):
    (step,) = write(lab, Generate("lab-large", QUESTION, stop=("\n",), temperature=0.0))[0]
    assert (step.text, step.finish, step.ended) == ("5 + 4 = 9", "stop", False)


def test_a_stop_text_may_span_tokens_or_lie_within_one(lab: LabEndpoint):
    spanning, within = write(
        lab,
        Generate("lab-large", QUESTION, stop=("= 9\n9", "nowhere"), temperature=0.0),
        Generate("lab-large", QUESTION, stop=("nswe",), temperature=0.0),
    )
    assert texts(spanning) == ["5 + 4 "]
    assert texts(within) == ["5 + 4 = 9\n9 * 2 = 18\nA"]


def test_an_answer_that_the_model_ends_says_so(lab: LabEndpoint):
    (answer,) = write(lab, Generate("lab-large", QUESTION, temperature=0.0))[0]
    assert (answer.finish, answer.ended) == ("stop", True)


def test_an_answer_that_is_cut_off_says_so(lab: LabEndpoint):
    (answer,) = write(lab, Generate("lab-large", QUESTION, temperature=0.0, max_tokens=3))[0]
    assert (answer.text, answer.finish, answer.ended, answer.completion_tokens) == ("5 + 4", "length", False, 3)


def test_an_answer_goes_on_from_its_prefix(lab: LabEndpoint):
    (answer,) = write(lab, Generate("lab-large", QUESTION, prefix="5 + 4 = 9\n9 *", temperature=0.0))[0]
    assert answer.text == " 2 = 18\nAnswer: 18"


def test_a_greedy_text_is_the_same_at_once_and_step_by_step(lab: LabEndpoint):
    for problem in PROBLEMS[:12]:
        (whole,) = write(lab, Generate("lab-small", asked(problem), temperature=0.0))[0]
        prefix = ""
        while True:
            request = Generate("lab-small", asked(problem), prefix=prefix, stop=("\n",), temperature=0.0)
            (step,) = write(lab, request)[0]
            if step.ended or step.finish == "length":
                break
            prefix += step.text + "\n"
        assert prefix + step.text == whole.text


def test_tokens_are_counted_with_the_end_and_the_stop(lab: LabEndpoint):
    whole, step = write(
        lab,
        Generate("lab-large", QUESTION, n=2, temperature=0.0),
        Generate("lab-large", QUESTION, stop=("\n",), temperature=0.0),
    )
    assert [(c.prompt_tokens, c.cached_tokens, c.completion_tokens) for c in whole] == [(QUESTION_TOKENS, 0, 18)] * 2
    assert step[0].completion_tokens == 6


def test_a_step_that_goes_on_counts_what_it_wrote_before_as_cached():
    lab = LabEndpoint()
    write(lab, Generate("lab-large", QUESTION, stop=("\n",), temperature=0.0))
    known, unknown = write(
        lab,
        Generate("lab-large", QUESTION, prefix="5 + 4 = 9\n", stop=("\n",), temperature=0.0),
        Generate("lab-small", QUESTION, prefix="5 + 4 = 9\n", stop=("\n",), temperature=0.0),
    )
    asyncio.run(lab.aclose())
    assert (known[0].prompt_tokens, known[0].cached_tokens) == (QUESTION_TOKENS + 6, QUESTION_TOKENS + 6)
    assert (unknown[0].prompt_tokens, unknown[0].cached_tokens) == (QUESTION_TOKENS + 6, 0)


def test_a_verifier_reads_each_step_of_a_chain_once():
    lab = LabEndpoint()
    first = judge(lab, "5 + 4 = 9\n", "5 + 4 = 9\n")
    second = judge(lab, "5 + 4 = 9\n9 * 2 = 18\n", "5 + 4 = 8\n8 * 2 = 16\n")
    third = judge(lab, "5 + 4 = 9\n9 * 2 = 18\nAnswer: 18")
    asyncio.run(lab.aclose())
    assert [verdict.tokens for verdict in first] == [QUESTION_TOKENS + 6] * 2
    assert [verdict.tokens for verdict in second] == [7, QUESTION_TOKENS + 13]
    assert [verdict.tokens for verdict in third] == [5]


def test_a_verifier_reads_every_sample_whole():
    lab = LabEndpoint()
    answer = "5 + 4 = 9\n9 * 2 = 18\nAnswer: 18"
    counts = [verdict.tokens for _ in range(2) for verdict in judge(lab, answer, answer)]
    asyncio.run(lab.aclose())
    assert counts == [QUESTION_TOKENS + 18] * 4


def test_scores_of_a_chain_are_those_of_the_whole_answer(lab: LabEndpoint):
    steps = ["5 + 4 = 9\n", "9 * 2 = 18\n", "Answer: 18"]
    (whole,) = judge(lab, "".join(steps))
    grown = [judge(lab, "".join(steps[: i + 1]))[0].score for i in range(3)]
    assert whole.step_scores == tuple(grown)
    assert whole.score == grown[-1]


def test_a_right_answer_scores_above_a_wrong_one(lab: LabEndpoint):
    right, wrong = judge(lab, "5 + 4 = 9\n9 * 2 = 18\nAnswer: 18", "5 + 4 = 9\n9 * 2 = 11\nAnswer: 11")
    assert right.score > 0.9
    assert wrong.score < 0.3


def test_an_empty_candidate_has_no_score(lab: LabEndpoint):
    empty, other = judge(lab, "", "5 + 4 = 9\n")
    assert empty.score is None
    assert other.score is not None


def test_no_candidates_get_no_verdicts(lab: LabEndpoint):
    assert judge(lab) == ()


def test_text_parts_are_read_as_text(lab: LabEndpoint):
    parts = (Message("user", [{"type": "text", "text": "Start with 5. Add 4. Double it. How many now?"}]),)
    (answer,) = write(lab, Generate("lab-large", parts, temperature=0.0))[0]
    assert answer.text.endswith("Answer: 18")


@pytest.mark.parametrize(
    ("request_", "what_to_do"),
    [
        (Generate("gpt-9", QUESTION), "lab-small, lab-large, lab-reviser"),
        (Generate("lab-prm", QUESTION), "lab-small"),
        (Generate("lab-small", (Message("user", "Add 1. " * 400),)), "shorten"),
        (Generate("lab-small", (Message("user", [{"type": "image_url"}]),)), "text"),
    ],
)
def test_what_cannot_be_written_is_rejected_with_what_to_do(lab: LabEndpoint, request_: Generate, what_to_do: str):
    with pytest.raises(EndpointRejected, match=what_to_do):
        write(lab, request_)


def test_an_unknown_verifier_is_rejected(lab: LabEndpoint):
    with pytest.raises(EndpointRejected, match="lab-prm"):
        asyncio.run(lab.verify(Verify("lab-small", QUESTION, ("Answer: 1",))))


def test_an_answer_that_is_too_long_to_be_scored_is_rejected(lab: LabEndpoint):
    with pytest.raises(EndpointRejected, match="1024"):
        judge(lab, "1 + 1 = 2\n" * 200)


def test_writing_stops_at_the_last_place_that_the_model_knows(lab: LabEndpoint):
    long = (Message("user", "Add 1. " * 335),)
    (answer,) = write(lab, Generate("lab-small", long, temperature=1.0, seed=0, max_tokens=500))[0]
    assert answer.prompt_tokens + answer.completion_tokens <= 1024


def test_a_cancelled_request_leaves_the_others_alone(lab: LabEndpoint):
    async def run():
        doomed = asyncio.ensure_future(lab.generate(Generate("lab-small", asked(PROBLEMS[0]), n=64)))
        other = asyncio.ensure_future(lab.generate(Generate("lab-large", QUESTION, temperature=0.0)))
        await asyncio.sleep(0.005)
        doomed.cancel()
        return await other

    assert texts(asyncio.run(run()))[0].endswith("Answer: 18")


def test_a_closed_endpoint_may_be_used_again():
    lab = LabEndpoint()
    answers = []
    for _ in range(2):
        answers.append(texts(write(lab, Generate("lab-large", QUESTION, temperature=0.0))[0]))
        asyncio.run(lab.aclose())
    assert answers[0] == answers[1]


def test_a_request_that_waits_when_the_endpoint_is_closed_ends():
    lab = LabEndpoint()

    async def run():
        waiting = asyncio.ensure_future(
            lab.generate(Generate("lab-large", QUESTION, n=300, temperature=2.0, max_tokens=900))
        )
        await asyncio.sleep(0.2)
        await lab.aclose()
        return await asyncio.wait_for(asyncio.gather(waiting, return_exceptions=True), 5)

    (ended,) = asyncio.run(run())
    assert isinstance(ended, Exception)


def test_it_says_what_it_serves(lab: LabEndpoint):
    assert tuple(asyncio.run(lab.models())) == ("lab-small", "lab-large", "lab-reviser", "lab-prm")
    assert (lab.conventions.step_separator, lab.conventions.revision_instruction) == ("\n", "Revise:")
