from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.core import Probe
from planner.difficulty import DifficultyPredictor
from planner.difficulty.belief import SOURCES
from planner.errors import InvalidInput

TEXT = "apple river stone plain number 5"


def agreeing(k):
    return [Probe(answer="7", score=0.9) for _ in range(k)]


def scattered(k):
    return [Probe(answer=str(i), score=0.2) for i in range(k)]


def test_agreement_makes_a_prompt_easier_and_scatter_harder(silent):
    belief = silent.believe((TEXT, TEXT, TEXT))
    sharper = silent.sharpen(belief, (agreeing(4), scattered(4), ()))
    assert sharper.pass_rate[0] > belief.pass_rate[0] + 0.1
    assert sharper.pass_rate[1] < belief.pass_rate[1] - 0.1
    assert sharper.bins[2].tolist() == belief.bins[2].tolist()
    assert [SOURCES[sharper.source[row]] for row in range(3)] == ["probes", "probes", "prior"]


def test_replayed_probes_bring_the_posterior_nearer_the_true_bins(silent, unseen):
    rng = np.random.default_rng(0)
    samples, n = unseen.logs.samples, len(unseen.bins)
    drawn = [
        [
            Probe(answer=str(samples.answer[row]), score=float(samples.score[row]), generator="small")
            for row in 32 * prompt + rng.choice(32, 4, replace=False)
        ]
        for prompt in range(n)
    ]
    belief = silent.believe((TEXT,) * n)
    sharper = silent.sharpen(belief, drawn)
    gain = np.log(sharper.bins[np.arange(n), unseen.bins] / belief.bins[np.arange(n), unseen.bins]).mean()
    assert gain > 0.15


def test_graded_probes_follow_bayes_rule(silent):
    belief = silent.believe((TEXT, TEXT))
    right, wrong = [Probe(correct=1.0)] * 4, [Probe(correct=0.0)] * 4
    sharper = silent.sharpen(belief, (right, wrong))
    likelihood = silent.rates_by_bin_ @ (1 / (1 + np.exp(-np.linspace(-7, 7, 57)))) ** 4
    expected = belief.bins[0] * likelihood
    assert sharper.bins[0] == pytest.approx(expected / expected.sum(), abs=1e-5)
    assert sharper.pass_rate[1] < belief.pass_rate[1] < sharper.pass_rate[0]


def test_graded_and_ungraded_probes_combine(silent):
    belief = silent.believe((TEXT,))
    graded = [Probe(correct=0.0)] * 2
    both = silent.sharpen(belief, ([*graded, *scattered(4)],))
    assert both.pass_rate[0] < silent.sharpen(belief, (graded,)).pass_rate[0]


def test_ungraded_probes_of_a_generator_that_was_not_logged_change_nothing(silent):
    belief = silent.believe((TEXT,))
    strange = [Probe(answer="7", generator="unheard-of")] * 4
    sharper = silent.sharpen(belief, (strange,))
    assert sharper.bins.tolist() == belief.bins.tolist()
    assert SOURCES[sharper.source[0]] == "prior"


def test_probes_without_scores_tell_by_agreement_where_logs_are_scored(silent, unseen):
    """Their missing scores were read as even ones: a lone answer, which tells nothing, made every prompt harder."""
    rng = np.random.default_rng(0)
    samples, n = unseen.logs.samples, len(unseen.bins)
    belief = silent.believe((TEXT,) * n)
    log_chance = [np.log(belief.bins[np.arange(n), unseen.bins]).mean()]
    for k in (1, 4, 8):
        drawn = [
            [Probe(answer=str(samples.answer[32 * p + i])) for i in rng.choice(32, k, replace=False)] for p in range(n)
        ]
        sharper = silent.sharpen(belief, drawn)
        log_chance.append(np.log(sharper.bins[np.arange(n), unseen.bins]).mean())
        assert sharper.pass_rate.mean() == pytest.approx(unseen.rates.mean(), abs=0.06)
        assert k > 1 or sharper.bins.tolist() == belief.bins.tolist()
    assert log_chance[2] > log_chance[1] + 0.1
    assert log_chance[3] > log_chance[2]


def test_grades_of_prompts_that_are_held_out_teach_nothing(telling):
    samples = telling.logs.samples
    training = telling.table.take_prompts(np.arange(100))
    flipped = np.where(samples.prompt >= 100, 1 - samples.correct, samples.correct)
    one, other = (
        DifficultyPredictor().fit(training, replace(telling.logs, samples=replace(samples, correct=correct)))
        for correct in (samples.correct, flipped)
    )
    drawn = (agreeing(4), scattered(4))
    beliefs = [each.sharpen(each.believe((TEXT,) * 2), drawn).bins.tolist() for each in (one, other)]
    assert beliefs[0] == beliefs[1]


def test_probes_are_wanted_for_every_prompt(silent):
    with pytest.raises(InvalidInput, match="each of 1"):
        silent.sharpen(silent.believe((TEXT,)), ((), ()))


def test_scores_without_answers_tell_by_themselves(silent, unseen):
    belief = silent.believe((TEXT, TEXT, TEXT))
    high, low = [Probe(score=0.95)] * 4, [Probe(score=0.05)] * 4
    sharper = silent.sharpen(belief, (high, low, agreeing(4)))
    assert sharper.pass_rate[1] < belief.pass_rate[1] < sharper.pass_rate[0]
    assert [SOURCES[sharper.source[row]] for row in range(2)] == ["probes", "probes"]
    rng = np.random.default_rng(0)
    samples, n = unseen.logs.samples, len(unseen.bins)
    drawn = [
        [Probe(score=float(samples.score[row])) for row in 32 * prompt + rng.choice(32, 4, replace=False)]
        for prompt in range(n)
    ]
    belief = silent.believe((TEXT,) * n)
    sharper = silent.sharpen(belief, drawn)
    gain = np.log(sharper.bins[np.arange(n), unseen.bins] / belief.bins[np.arange(n), unseen.bins]).mean()
    assert gain > 0.05


def test_a_sample_that_gave_no_answer_is_not_one_whose_answer_is_unknown(silent):
    belief = silent.believe((TEXT, TEXT))
    none, unknown = [Probe(answer="", score=0.9)] * 4, [Probe(score=0.9)] * 4
    sharper = silent.sharpen(belief, (none, unknown))
    assert sharper.pass_rate[0] < sharper.pass_rate[1]


def test_what_scores_tell_is_kept_in_the_state(silent):
    state, text = silent.to_state()
    kept = DifficultyPredictor.from_state(state, text)
    for drawn in ([Probe(score=0.95)] * 4, [Probe(answer="7")] * 4):
        assert kept.sharpen(kept.believe((TEXT,)), (drawn,)).bins == pytest.approx(
            silent.sharpen(silent.believe((TEXT,)), (drawn,)).bins
        )


@pytest.mark.parametrize("probe", [{}, {"generator": "small", "prompt_tokens": 3}, {"answer": None}])
def test_a_probe_that_says_nothing_is_refused(probe):
    with pytest.raises(ValueError, match="says nothing"):
        Probe(**probe)


@pytest.mark.parametrize("score", [-0.1, 1.1, 97.0])
def test_a_score_outside_0_to_1_is_refused(score):
    with pytest.raises(ValueError, match="score"):
        Probe(answer="7", score=score)
