from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from curves.plain import Row, logs_of, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core import Sample
from planner.curves.selections import Rule, candidates, curves
from planner.curves.units import Stack
from planner.errors import InvalidInput, UnknownStrategy
from planner.strategies import Choosing, select, selections

RULES = [Rule(name) for name in ("majority_vote", "filter_vote", "best_of_n", "weighted_vote")]
RULES.append(Rule("weighted_vote", least=True))


def expected(rows: list[Row], breadth: int, rule: Rule) -> float:
    """What the curves expect of a rule over all subsets of `breadth` of these chains."""
    samples = logs_of(rows).samples
    depth = int(samples.attempt.max()) + 1
    stack = Stack(np.zeros(1, np.int64), np.arange(len(rows)).reshape(1, -1, depth))
    found = curves(candidates(samples, samples.correct, stack), np.array([breadth]), [rule], np.random.default_rng(0))
    return float(found[rule][0, 0])


def chosen(rows: list[Row], rule: Rule) -> Row:
    """What is chosen among these candidates when they come back from a run."""
    samples = [
        Sample(
            chain=row.chain, attempt=row.attempt, answer=None if row.answer < 0 else str(row.answer),
            score=float(np.float32(row.score)), score_min=float(np.float32(row.score_min)), text="any",
        )
        for row in rows
    ]  # fmt: skip
    return rows[select(rule.selection, samples, Choosing(aggregate="min" if rule.least else "last"))]


def chains(rows: list[Row], of: tuple[int, ...]) -> list[Row]:
    return [row for chain in of for row in rows if row.chain == chain]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RULES), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000))
def test_a_choice_is_the_one_that_the_curves_expect_wherever_no_answers_tie(rule, n_chains, depth, n_answers, seed):
    rows = random_rows(np.random.default_rng(seed), n_chains=n_chains, depth=depth, n_answers=n_answers)
    for breadth in range(1, n_chains + 1):
        for of in combinations(range(n_chains), breadth):
            subset = chains(rows, of)
            outcome = expected(subset, breadth, rule)
            if outcome in {0, 1}:
                assert chosen(subset, rule).correct == outcome


def answering(row: Row, **members: float) -> Row:
    """The same candidate, whose answer is the right one where it had none."""
    return replace(row, answer=max(row.answer, 0), correct=float(row.answer <= 0), **members)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RULES[2:]), st.integers(1, 3), st.integers(0, 10_000))
def test_choices_over_all_subsets_average_to_the_curve(rule, depth, seed):
    rng = np.random.default_rng(seed)
    # Scores that never tie: a live choice takes the first drawn of equals, the curves average over them.
    rows = [
        answering(row, score=float(rng.random()), score_min=float(rng.random()))
        for row in random_rows(rng, n_chains=6, depth=depth, n_answers=4)
    ]
    for breadth in range(1, 7):
        live = [chosen(chains(rows, of), rule).correct for of in combinations(range(6), breadth)]
        assert np.mean(live) == pytest.approx(expected(rows, breadth, rule), abs=1e-5)


def test_majorities_over_all_subsets_average_to_the_curve():
    rng = np.random.default_rng(0)
    # Two answers and odd numbers of votes: no vote ties.
    rows = [answering(row) for row in random_rows(rng, n_chains=7, depth=1, n_answers=2)]
    rule = Rule("majority_vote")
    for breadth in (1, 3, 5, 7):
        live = [chosen(chains(rows, of), rule).correct for of in combinations(range(7), breadth)]
        assert np.mean(live) == pytest.approx(expected(rows, breadth, rule), abs=1e-6)


def of(*said: tuple[str | None, float | None], **members) -> list[Sample]:
    return [
        Sample(chain=place, answer=answer, score=score, text=answer or "", **members)
        for place, (answer, score) in enumerate(said)
    ]


@pytest.mark.parametrize(
    ("name", "place"),
    [("first", 0), ("last", 6), ("majority_vote", 1), ("filter_vote", 2), ("weighted_vote", 2), ("best_of_n", 3)],
)
def test_each_rule_has_its_own_choice(name, place):
    samples = of(("c", 0.1), ("a", 0.2), ("b", 0.7), ("d", 0.8), ("a", 0.1), ("b", 0.6), ("a", 0.3))
    assert select(name, samples) == place


def test_the_first_drawn_wins_among_equals():
    samples = of(("a", 0.5), ("b", 0.5), ("b", 0.4), ("a", 0.4))
    assert [select(name, samples) for name in ("majority_vote", "weighted_vote", "best_of_n")] == [0, 0, 0]


def test_a_filter_that_passes_nobody_lets_everybody_vote():
    assert select("filter_vote", of(("a", 0.1), ("b", 0.2), ("b", 0.3))) == 1


def test_a_filter_keeps_what_its_threshold_says():
    samples = of(("a", 0.6), ("a", 0.6), ("b", 0.9))
    assert select("filter_vote", samples) == 0
    assert select("filter_vote", samples, Choosing(threshold=0.8)) == 2


@pytest.mark.parametrize(("aggregate", "place"), [("last", 0), ("min", 1), ("product", 2)])
def test_scores_of_steps_are_taken_as_asked(aggregate, place):
    steps = [(0.2, 0.9), (0.5, 0.5), (0.4, 0.8)]
    samples = [
        Sample(chain=chain, answer=str(chain), score=of[-1], score_min=min(of), step_scores=of)
        for chain, of in enumerate(steps)
    ]
    for name in ("best_of_n", "weighted_vote"):
        assert select(name, samples, Choosing(aggregate=aggregate)) == place


def test_the_name_in_the_logs_of_an_aggregate_is_understood():
    assert Choosing.model_validate({"step_score": "min"}).aggregate == "min"


def test_a_chain_votes_once_with_its_greatest_score():
    first = [Sample(chain=0, attempt=attempt, answer="a", score=0.5) for attempt in range(3)]
    second = [Sample(chain=1, attempt=0, answer="b", score=0.6)]
    assert select("weighted_vote", [*first, *second]) == 3
    assert select("majority_vote", [*first, *second]) == 0


@pytest.mark.parametrize("score", [0.0, None])
def test_a_chain_answers_with_an_attempt_that_has_an_answer(score):
    silent, other = (Sample(chain=chain, attempt=0, answer=None, score=0.9) for chain in (0, 1))
    answered = Sample(chain=0, attempt=1, answer="7", score=score)
    assert select("weighted_vote", [silent, answered]) == 1
    assert select("weighted_vote", [silent, answered, other]) == 1
    assert select("weighted_vote", [silent, other]) == 0


def test_samples_of_stages_vote_all_alike():
    samples = [Sample(chain=0, attempt=attempt, answer="a", score=0.5, stage=0) for attempt in range(3)]
    assert select("weighted_vote", [*samples, Sample(chain=1, answer="b", score=0.6, stage=1)]) == 0


def test_the_last_stage_alone_answers_where_it_shall():
    samples = [*of(("a", 0.9), ("a", 0.9), stage=0), *of(("b", 0.1), stage=1)]
    assert select("majority_vote", samples) == 0
    assert select("majority_vote", samples, Choosing(answer_from="last_stage")) == 2


def test_a_last_stage_that_failed_leaves_the_answer_to_the_one_before():
    samples = [*of(("a", 0.9), stage=0), Sample(stage=1, status="error")]
    assert select("best_of_n", samples, Choosing(answer_from="last_stage")) == 0


@pytest.mark.parametrize("name", sorted(selections()))
def test_candidates_that_failed_are_passed_over(name):
    samples = [Sample(chain=0, status="error"), *of(("a", 0.0)), Sample(chain=2, status="error")]
    assert select(name, samples) == 1


@pytest.mark.parametrize("name", sorted(selections()))
def test_where_all_failed_a_failed_one_is_chosen_and_nobody_where_there_is_none(name):
    assert select(name, [Sample(status="error")]) == 0
    assert select(name, []) is None


@pytest.mark.parametrize("name", ["filter_vote", "weighted_vote", "best_of_n"])
def test_without_any_score_the_majority_decides(name):
    assert select(name, of(("a", None), ("b", None), ("b", None))) == 1


def test_a_candidate_whose_verdict_failed_counts_nothing_beside_those_that_were_scored():
    assert select("weighted_vote", of(("a", None), ("a", None), ("b", 0.1))) == 2
    assert select("best_of_n", of(("a", None), ("b", 0.1))) == 1


def test_a_medoid_is_the_text_most_like_the_others():
    texts = ["a tall green tree", "sky blue", "the sky is blue", "the sky is blue today, it is"]
    samples = [Sample(chain=chain, text=text) for chain, text in enumerate(texts)]
    assert select("medoid", samples) == 2


def test_a_medoid_of_very_long_texts_is_found_soon():
    samples = [Sample(chain=chain, text=word * 200_000) for chain, word in enumerate(["other", "words", "words"])]
    assert select("medoid", samples) == 1


def test_an_unknown_selection_is_refused_by_name():
    with pytest.raises(UnknownStrategy, match=r"'loudest'.*majority_vote"):
        select("loudest", of(("a", 1.0)))


@pytest.mark.usefixtures("third_party")
def test_a_third_party_selection_is_found():
    samples = [Sample(chain=chain, text=text) for chain, text in enumerate(["long text", "short"])]
    assert select("shortest", samples) == 1


@pytest.mark.parametrize("entry", ["no_such_module:X", "third_party:NO_STRATEGY", "third_party:STRATEGY"])
def test_a_third_party_selection_that_cannot_be_used_is_named(install, entry):
    install(f"[planner.selections]\nany = {entry}\n")
    with pytest.raises(InvalidInput, match=entry.split(":")[0]):
        selections()
