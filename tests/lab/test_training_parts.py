"""Parts that the lab's models are trained with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train` (torch)")

from planner.lab.training.grow import grown  # noqa: E402
from planner.lab.training.head import Example, fit_head, split, within_prompt_auc  # noqa: E402
from planner.lab.training.loop import Plan, train  # noqa: E402
from planner.lab.training.muon import orthogonal  # noqa: E402
from planner.lab.training.network import Llama, shapes  # noqa: E402
from planner.lab.training.sequences import IGNORED, batches, collated, row  # noqa: E402

WEIGHTS = Path(__file__).parents[2] / "planner" / "lab" / "weights"
CONFIG = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 24, "vocab_size": 11, "rms_norm_eps": 1e-6, "initializer_range": 0.2,
    "rope_parameters": {"rope_theta": 10000.0},
}  # fmt: skip


def quiet(_done: float, _total: float | None = None, _stage: str | None = None, /) -> None:
    return


def logits(model: Llama, ids) -> object:
    with torch.no_grad():
        return model.logits(model.hidden(ids))


IDS = torch.tensor([[1, 4, 5, 6, 7, 8], [1, 9, 10, 4, 4, 2]])


def test_a_model_is_read_as_it_was_written(tmp_path: Path):
    model = Llama.fresh(CONFIG, seed=0)
    model.save(tmp_path, dtype=torch.float32)
    assert torch.equal(logits(Llama.load(tmp_path), IDS), logits(model, IDS))


def test_the_shapes_are_those_of_the_shipped_weights():
    model = Llama.load(WEIGHTS / "small")
    assert {name: tuple(model.weight(name).shape) for name in model.names} == shapes(model.config)


def test_states_before_the_first_target_may_be_left_out():
    model = Llama.fresh(CONFIG, seed=0)
    with torch.no_grad():
        assert torch.allclose(model.hidden(IDS, first=3), model.hidden(IDS)[:, 3:], atol=1e-6)


def test_a_grown_model_computes_the_same():
    small = Llama.fresh(CONFIG, seed=0)
    large = grown(small, seed=0, noise=0.0)
    assert torch.allclose(logits(large, IDS), logits(small, IDS), atol=1e-5)
    assert (large.width, large.n_layers, large.n_heads) == (48, 3, 12)


def test_a_grown_model_has_the_shape_of_the_shipped_one():
    config = json.loads((WEIGHTS / "large" / "config.json").read_text())
    assert grown(Llama.load(WEIGHTS / "small"), seed=0).config == config


@pytest.mark.parametrize("shape", [(8, 5), (5, 8)])
def test_an_orthogonal_update_has_singular_values_near_one(shape: tuple[int, int]):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert ((values > 0.6) & (values < 1.3)).all()


def test_a_context_is_read_and_an_answer_learned():
    batch = collated([row([1, 5], [6, 2]), row([1], [7, 8, 9, 2])], 0)
    assert batch.ids.tolist() == [[1, 5, 6, 2, 0], [1, 7, 8, 9, 2]]
    assert batch.targets.tolist() == [[IGNORED, IGNORED, 6, 2, IGNORED], [IGNORED, 7, 8, 9, 2]]
    assert batch.n_tokens == 9


def test_batches_stay_within_their_tokens():
    rng = np.random.default_rng(0)
    drawn = batches(lambda: row([1], [4] * int(rng.integers(1, 12))), rng, tokens=60, padding=0)
    assert all(next(drawn).ids.numel() <= 60 for _ in range(100))


@pytest.mark.parametrize("muon", [None, 0.02])
def test_a_model_learns_what_it_is_shown(muon: float | None):
    model = Llama.fresh(CONFIG, seed=0)
    rng = np.random.default_rng(0)

    def copying() -> object:
        seen = rng.integers(4, 11, size=1)
        return row([1, *seen.tolist()], [*seen.tolist(), 2])

    plan = Plan(minutes=10, adam=1e-2, muon=muon, warmup_steps=5, most_steps=150)
    trained = train(model, lambda _: batches(copying, rng, tokens=200, padding=0), plan, report=quiet)
    assert trained.steps == 150
    assert trained.loss < 0.3


def test_a_training_ends_when_its_time_is_over():
    ticks = iter(range(1000))
    model = Llama.fresh(CONFIG, seed=0)
    rng = np.random.default_rng(0)
    plan = Plan(minutes=0.5)  # thirty ticks of the clock, three or four of which a step takes
    drawn = lambda _: batches(lambda: row([1], [4, 2]), rng, tokens=200, padding=0)  # noqa: E731
    assert train(model, drawn, plan, report=quiet, clock=lambda: next(ticks)).steps in range(7, 16)


def test_a_head_tells_right_from_wrong_and_is_kept(tmp_path: Path):
    from safetensors.numpy import load_file

    rng = np.random.default_rng(0)
    examples = []
    for group in range(60):
        for _ in range(4):
            right = bool(rng.random() < 0.5)
            statistics = rng.normal(loc=1.0 if right else -1.0, size=(3, 13)).astype(np.float32)
            examples.append(Example(group, statistics, np.full(3, right, dtype=np.float32), right))
    fitted_on, held_out = split(examples, rng)
    assert {one.group for one in fitted_on}.isdisjoint(one.group for one in held_out)
    head = fit_head(fitted_on, seed=0)
    assert within_prompt_auc(head, held_out).auc > 0.95
    head.save(tmp_path / "head.safetensors")
    shipped = {name: value.shape for name, value in load_file(WEIGHTS / "prm" / "head.safetensors").items()}
    assert {name: value.shape for name, value in load_file(tmp_path / "head.safetensors").items()} == shipped
