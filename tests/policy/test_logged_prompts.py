"""Prompts that the policy was fitted on, asked again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simulated as world

from planner.core import Budget, Probe
from planner.policy import PromptInput

SAMPLE = world.FLOPS_PER_SMALL_SAMPLE


def logged(policy, logs, *, by_id):
    texts = dict(zip(logs.prompts.ids, logs.prompts.texts, strict=True))
    return [PromptInput(texts[name], name if by_id else None) for name in policy.sample_ids]


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("samples", [2, 6, 20])
def test_an_average_is_kept_over_them(policy, pooled_logs, samples, by_id):
    plans = policy.recommend(logged(policy, pooled_logs, by_id=by_id), Budget(mean_flops=samples * SAMPLE))
    assert np.mean([plan.forecast.cost.flops for plan in plans]) == pytest.approx(samples * SAMPLE, rel=0.05)


def test_they_are_believed_as_out_of_fold(policy, pooled_logs):
    prompts = [PromptInput("something else"), *logged(policy, pooled_logs, by_id=True)]
    belief = policy.believe(prompts)
    assert np.array_equal(belief.bins[1:], policy.sample.bins)
    assert np.array_equal(belief.features[1:], policy.sample.features)
    alone = policy.believe(prompts[:1])
    assert belief.bins[0] == pytest.approx(alone.bins[0], abs=1e-6)


def test_probes_sharpen_what_is_believed_of_them(policy, pooled_logs):
    prompt = logged(policy, pooled_logs, by_id=True)[0]
    sharpened = policy.believe([replace(prompt, probes=(Probe(answer="1", correct=1.0),) * 4)])
    assert sharpened.pass_rate[0] > policy.sample.pass_rate[0]


def test_a_logged_prompt_whose_text_is_not_known_is_nobody_elses(policy):
    nameless = replace(policy, sample_hashes=("", *policy.sample_hashes[1:]))
    strange = PromptInput("something else", "")
    assert np.array_equal(nameless.believe([strange]).bins, nameless.believe([PromptInput("something else")]).bins)


def test_an_id_alone_makes_no_prompt_a_logged_one_whose_text_is_known(policy):
    strange = PromptInput("river music stone: a fiendish problem, item 3")
    for name in (policy.sample_ids[0], policy.sample_hashes[0]):
        assert np.array_equal(policy.believe([replace(strange, prompt_id=name)]).bins, policy.believe([strange]).bins)


def test_a_logged_prompt_whose_text_is_not_known_is_told_by_its_id(policy):
    nameless = replace(policy, sample_hashes=("", *policy.sample_hashes[1:]))
    older = replace(policy, sample_hashes=())
    for one in (nameless, older):
        belief = one.believe([PromptInput("something else", policy.sample_ids[0])])
        assert np.array_equal(belief.bins, policy.sample.bins[:1])
