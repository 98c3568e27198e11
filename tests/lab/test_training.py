"""The lab's models made anew: what they learn from, and one step of each training."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train` (torch)")

from click.testing import CliRunner

from planner.cli import main
from planner.lab.llama import Llama
from planner.lab.prm import ProcessRewardModel, step_statistics
from planner.lab.problems import logged_prompts
from planner.lab.tokenizer import EOS, tokenizer
from planner.lab.training.data import Drawn, draw, fresh_problems, prompt_tokens
from planner.lab.training.head import Head
from planner.lab.training.language import drill, problem
from planner.lab.training.reviser import nearest_right, revision_context
from planner.lab.training.sequences import IGNORED
from planner.lab.training.verifier import step_labels
from planner.lab.weights import load, shipped


def quiet(_done: float, _total: float | None = None, _stage: str | None = None, /) -> None:
    return


def tokens(text: str) -> tuple[int, ...]:
    return (*tokenizer().encode(text), EOS)


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    return draw(shipped("small"), 6, 3, seed=4, report=quiet)


def test_only_solutions_are_learned_of_a_problem():
    one = problem(random.Random(0), hard=True)
    first = next(place for place, target in enumerate(one.targets) if target != IGNORED)
    assert tokenizer().decode(one.ids[:first]).endswith("How many now?\n")
    assert one.targets[first:] == one.ids[first:]
    assert one.targets[-1] == EOS


def test_only_results_are_learned_of_a_drill():
    one = drill(random.Random(0))
    shown = tokenizer().decode(one.ids).splitlines()[1:]
    learned = tokenizer().decode([token for token in one.targets if token != IGNORED]).split()
    assert learned == [line.split(" = ")[1] for line in shown]
    assert all(eval(line.split(" = ")[0].replace("mod", "%")) == int(line.split(" = ")[1]) for line in shown)


def test_problems_to_learn_from_are_none_of_the_logs():
    prompts = [one.prompt for one in fresh_problems(300, seed=0)]
    assert len(set(prompts)) == 300
    assert logged_prompts().isdisjoint(prompts)


def test_samples_are_the_same_for_a_seed(drawn: list[Drawn]):
    assert draw(shipped("small"), 6, 3, seed=4, report=quiet) == drawn
    assert all(len(one.samples) == len(one.right) == 3 for one in drawn)
    assert any(right for one in drawn for right in one.right)


def test_a_wrong_draft_is_mended_to_the_nearest_right_sample():
    near, far, wrong = tokens("1 + 2 = 3\nAnswer: 3"), tokens("Answer: 3"), tokens("1 + 2 = 4\nAnswer: 4")
    made = Drawn(prompt_tokens("?"), far, "3", (far, wrong, near), (True, False, True))
    assert nearest_right(made, wrong) == near
    assert nearest_right(Drawn(made.prompt, far, "3", (wrong,), (False,)), wrong) == far


def test_a_reviser_reads_its_draft_and_the_instruction():
    context = revision_context(prompt_tokens("?"), [tokens("Answer: 4")])
    assert tokenizer().decode(context).endswith("Answer: 4Revise:\n")


def test_the_statistics_are_those_that_the_shipped_verifier_scores_by(drawn: list[Drawn]):
    import torch
    from safetensors.numpy import load_file

    tensors = load_file(Path(str(shipped("prm"))) / "head.safetensors")
    net = torch.nn.Sequential(torch.nn.Linear(13, 64), torch.nn.GELU(), torch.nn.Linear(64, 1))
    net.load_state_dict({name[4:]: torch.from_numpy(value) for name, value in tensors.items() if name[:3] == "net"})
    head = Head(net, tensors["mu"], tensors["sd"])
    model = Llama(load("prm"))
    items = [(one.prompt, sample) for one in drawn for sample in one.samples]
    scores = ProcessRewardModel(model, tokenizer()).step_scores(items)
    for found, expected in zip(step_statistics(model, tokenizer(), items), scores, strict=True):
        assert head.scores(found) == pytest.approx(expected, abs=1e-4)


def test_rollouts_label_a_step_and_the_outcome_the_last_one(drawn: list[Drawn]):
    answers = [(one, sample, right) for one in drawn for sample, right in zip(one.samples, one.right, strict=True)]
    ended = [one for one in answers if one[1][-1] == EOS]
    labels = step_labels(ended, shipped("small"), rollouts=4, seed=0, report=quiet)
    for (_, sample, right), found in zip(ended, labels, strict=True):
        assert len(found) == 1 + sample.count(tokenizer().newline)
        assert found[-1] == right
        assert set(found.tolist()) <= {0, 0.25, 0.5, 0.75, 1}


@pytest.mark.parametrize(
    ("arguments", "measured"),
    [
        (["small"], "pass_at_1"),
        (["large"], "pass_at_1"),
        (["prm", "--problems", "12", "--samples", "4"], "auc"),
        (["reviser", "--problems", "6", "--samples", "4"], "attempt_2"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_step_of_each_training_leaves_weights_that_can_be_run(tmp_path: Path, arguments: list[str], measured: str):
    from planner.lab.weights import read_weights

    out = tmp_path / "made"
    result = CliRunner().invoke(main, ["lab", "train", *arguments, "--steps", "1", "--out", str(out)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    found = json.loads((out / "train.json").read_text())
    assert found["steps"] == 1
    assert measured in found
    assert read_weights(out).shape.vocabulary == 120
    assert (out / "head.safetensors").exists() == (arguments[0] == "prm")


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    result = CliRunner().invoke(main, ["lab", "train", "large", "--from", str(tmp_path), "--out", str(tmp_path / "x")])
    assert result.exit_code == 2
    assert "planner lab train" in result.stderr
