"""Weights on disk, made ready to compute with: float32, norms folded into the matrix that follows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int
    epsilon: float
    rope_theta: float

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.width // self.heads


@dataclass(frozen=True)
class Layer:
    """Matrices of one layer, outputs by inputs: `qkv` holds q (scaled), k and v, `gate_up` both halves of the MLP."""

    qkv: Floats
    out: Floats
    gate_up: Floats
    down: Floats


@dataclass(frozen=True)
class Weights:
    """A Llama whose norms have no gains left: `head` bears that of the last, each layer's matrices theirs."""

    shape: Shape
    embedding: Floats
    layers: tuple[Layer, ...]
    head: Floats


@cache
def load(name: str) -> Weights:
    """Weights of `small`, `large`, `revision` or `prm`, from the package's own files."""
    return read_weights(shipped(name))


def shipped(name: str) -> Traversable:
    """The package's own folder of weights of that name."""
    return files("planner.lab") / "weights" / name


def read_weights(folder: Traversable) -> Weights:
    """Weights of a folder with config.json and model.safetensors."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    shape = Shape(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        inner=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        epsilon=config["rms_norm_eps"],
        rope_theta=config["rope_parameters"]["rope_theta"],
    )
    tensors = _tensors(folder / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    return Weights(
        shape=shape,
        embedding=embedding,
        layers=tuple(_layer(tensors, f"model.layers.{i}.", shape) for i in range(shape.layers)),
        head=np.ascontiguousarray(embedding * tensors["model.norm.weight"]),
    )


def read_tensors(name: str, file: str) -> dict[str, Floats]:
    """Tensors of one of the package's own files as float32."""
    return _tensors(shipped(name) / f"{file}.safetensors")


def _tensors(file: Traversable) -> dict[str, Floats]:
    from safetensors.numpy import load_file  # noqa: PLC0415 - only who runs the models pays for it

    with as_file(file) as path:
        return {key: value.astype(np.float32) for key, value in load_file(path).items()}


def _layer(tensors: dict[str, Floats], prefix: str, shape: Shape) -> Layer:
    def tensor(key: str) -> Any:  # noqa: ANN401 - arithmetic on arrays of one type
        return tensors[f"{prefix}{key}.weight"]

    query = tensor("self_attn.q_proj") / np.float32(math.sqrt(shape.head_width))
    qkv = np.concatenate([query, tensor("self_attn.k_proj"), tensor("self_attn.v_proj")]) * tensor("input_layernorm")
    gate_up = np.concatenate([tensor("mlp.gate_proj"), tensor("mlp.up_proj")]) * tensor("post_attention_layernorm")
    return Layer(
        *(np.ascontiguousarray(m) for m in (qkv, tensor("self_attn.o_proj"), gate_up, tensor("mlp.down_proj")))
    )
