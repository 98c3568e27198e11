"""Training data written from runs: TRL's stepwise supervision and conversations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import Run, Sample
from planner.errors import NotEnoughData
from planner.formats.exports import PrmExport, RevisionExport
from planner.formats.exports.steps import prefix, steps

SOLUTION = "3 + 4 = 7\n7 * 2 = 14\nAnswer: 14"


def solution(**fields: object) -> Run:
    right = Sample(chain=0, answer="14", correct=1, text=SOLUTION)
    wrong = Sample(chain=1, answer="15", correct=0, text="3 + 4 = 8\nAnswer: 15")
    return Run(run_id="a", prompt_id="p", prompt="q?", generator="g", breadth=2, samples=(right, wrong)).model_copy(
        update=fields
    )


def rollouts(chain: int, outcomes: dict[int, list[float]]) -> Run:
    drawn = [(step, correct) for step, some in outcomes.items() for correct in some]
    samples = tuple(
        Sample(chain=place, stage=step, answer="1", correct=correct) for place, (step, correct) in enumerate(drawn)
    )
    params = {"rollout_of": "a", "chain": chain, "attempt": 0, "step_separator": "\n"}
    return Run(
        run_id=f"a/{chain}",
        prompt_id="p",
        prompt="q?",
        generator="g",
        search="rollouts",
        params=params,
        samples=samples,
    )


ROLLOUTS = [rollouts(0, {1: [1, 1, 0, 0], 2: [1, 1, 1, 0]}), rollouts(1, {1: [0, 0, 0, 0]})]


def test_soft_labels_are_the_shares_of_rollouts_that_come_out_right():
    assert list(PrmExport().records([solution(), *ROLLOUTS])) == [
        {"prompt": "q?", "completions": ["3 + 4 = 7", "7 * 2 = 14", "Answer: 14"], "labels": [0.5, 0.75, 1.0]},
        {"prompt": "q?", "completions": ["3 + 4 = 8", "Answer: 15"], "labels": [0.0, 0.0]},
    ]


def test_hard_labels_say_whether_any_rollout_comes_out_right():
    records = list(PrmExport(labels="hard").records([solution(), *ROLLOUTS]))
    assert [record["labels"] for record in records] == [[True, True, True], [False, False]]


def test_labels_by_outcome_need_no_rollouts():
    records = list(PrmExport(labels="outcome").records([solution()]))
    assert [record["labels"] for record in records] == [[True, True, True], [False, False]]


def test_a_solution_with_too_few_rollouts_of_a_step_is_left_out():
    short = rollouts(0, {1: [1, 1, 1], 2: [1]})
    assert list(PrmExport(min_rollouts=2).records([solution(), short, ROLLOUTS[1]])) == [
        {"prompt": "q?", "completions": ["3 + 4 = 8", "Answer: 15"], "labels": [0.0, 0.0]}
    ]


def test_a_rollout_that_was_cut_off_without_an_answer_counts_as_wrong():
    cut = rollouts(1, {1: [1]})
    cut = cut.model_copy(update={"samples": (*cut.samples, Sample(chain=9, stage=1, status="truncated"))})
    assert next(PrmExport().records([solution(), cut]))["labels"] == [0.5, 0.0]


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "no run is logged"),
        ([Run(generator="g", prompt="q", samples=(Sample(correct=1),))], "texts of the answers are not logged"),
        ([Run(generator="g", prompt="q", samples=(Sample(text="7"),))], "none of the 1 samples with a text is graded"),
        ([Run(generator="g", prompt_id="p", samples=(Sample(text="7", correct=0),))], "PLANNER_STORE_PROMPT_TEXT"),
    ],
)
@pytest.mark.parametrize("export", [PrmExport, RevisionExport])
def test_what_is_missing_is_named(export: type, runs: list[Run], words: str):
    with pytest.raises(NotEnoughData, match=words):
        list(export().records(runs))


def test_missing_rollouts_are_named_with_the_command_that_makes_them():
    with pytest.raises(NotEnoughData, match=r"planner explore .* --rollouts"):
        list(PrmExport().records([solution()]))


texts = st.text(alphabet="ab \n", max_size=20)


@given(texts, st.sampled_from(["\n", "\n\n"]), st.integers(0, 5))
def test_a_prefix_holds_exactly_its_steps(text: str, separator: str, n_steps: int):
    beginning = prefix(text, separator, n_steps)
    assert text.startswith(beginning)
    assert steps(beginning, separator) == steps(text, separator)[:n_steps]


graded = st.lists(st.tuples(st.text(alphabet="abc\n", min_size=1, max_size=8), st.booleans()), max_size=12)


def pairs(answers: list[tuple[str, bool]], **options: int) -> list[list[dict[str, str]]]:
    samples = tuple(Sample(chain=k, text=text, correct=right) for k, (text, right) in enumerate(answers))
    run = Run(run_id="a", prompt_id="p", prompt="q?", generator="g", samples=samples)
    export = RevisionExport(instruction="again", **options)
    try:
        return [record["messages"] for record in export.records([run])]
    except NotEnoughData:
        return []


@given(graded, st.integers(0, 5), st.integers(1, 4), st.integers(0, 3))
def test_a_conversation_ends_right_after_wrong_attempts_the_nearest_last(
    answers: list[tuple[str, bool]], max_wrong: int, max_per_prompt: int, seed: int
):
    right = {text for text, is_right in answers if is_right and text.strip()}
    wrong = {text for text, is_right in answers if not is_right and text.strip()}
    found = pairs(answers, max_wrong=max_wrong, max_per_prompt=max_per_prompt, seed=seed)
    assert len(found) == min(max_per_prompt, len(right))
    for messages in found:
        said = [message["content"] for message in messages if message["role"] == "assistant"]
        asked = [message["content"] for message in messages if message["role"] == "user"]
        assert asked == ["q?", *["again"] * (len(said) - 1)]
        assert [message["role"] for message in messages] == ["user", "assistant"] * len(said)
        assert said[-1] in right
        assert set(said[:-1]) <= wrong
        assert len(set(said[:-1])) == len(said) - 1 <= max_wrong
        if len(said) > 1:
            assert distance(said[-2], said[-1]) == min(distance(one, said[-1]) for one in wrong)


def distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


def test_the_same_seed_gives_the_same_conversations_whatever_else_is_exported():
    other = solution(run_id="b", prompt_id="other")
    both = list(RevisionExport().records([other, solution()]))
    assert list(RevisionExport().records([solution()])) == both[1:]


def test_revisions_are_no_targets():
    attempts = (Sample(text="wrong", correct=0), Sample(attempt=1, text="you are right", correct=1))
    with pytest.raises(NotEnoughData, match="right first attempt"):
        list(RevisionExport().records([Run(generator="g", prompt="q", depth=2, samples=attempts)]))


def test_exports_read_the_store_and_leave_fits_alone(tmp_path: Path):
    from planner.store import Store

    with Store.open(f"sqlite:///{tmp_path / 'planner.db'}") as store:
        store.append([solution(), *ROLLOUTS])
        logs = store.read_logs()
        assert len(logs.samples) == 2
        assert not len(logs.runs)
        assert not logs.arms
        from_store = list(PrmExport().records(store.stream_runs()))
    assert json.dumps(from_store) == json.dumps(list(PrmExport().records([solution(), *ROLLOUTS])))
