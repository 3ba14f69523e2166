"""EfficientNet-Lite0 in numpy: an image of 224 by 224 pixels in, a number for each of ImageNet's 1000 classes out.

Computed in 64 bits, though the weights have 32: the order of a sum depends on the processor and on the number of
threads, and so do the last digits of the result. Between two of numpy's kernels probabilities differed by 2e-6 with 32
bits, by 4e-15 with 64. Of the four decimals that are kept, each machine then writes the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torchfile import Tensors

SIDE = 224
"""Width and height of the images that the network was trained for."""
STEM_STRIDE = 2
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
"""How many blocks each stage has, and the stride of its first one; the others have 1."""
NORM_EPSILON = 1e-3


def padded(image: np.ndarray, side: int, stride: int) -> np.ndarray:
    """The image (height, width, channels) with zeros around it, so that a convolution gives one place for each stride.

    As TensorFlow's padding "SAME": if the number of zeros is odd, there is one more below and on the right.
    """
    height, width, channels = image.shape
    rows, columns = (max((-(-length // stride) - 1) * stride + side - length, 0) for length in (height, width))
    result = np.zeros((height + rows, width + columns, channels))
    result[rows // 2 : rows // 2 + height, columns // 2 : columns // 2 + width] = image
    return result


def windows(image: np.ndarray, side: int, stride: int) -> np.ndarray:
    """What a convolution sees at each of its places: (row, column, channel, row in window, column in window)."""
    return sliding_window_view(padded(image, side, stride), (side, side), axis=(0, 1))[::stride, ::stride]


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution over all channels: weights are (out, in, side, side)."""

    weights: np.ndarray
    bias: np.ndarray
    stride: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The convolved image."""
        seen = windows(image, self.weights.shape[2], self.stride)
        weights = self.weights.reshape(len(self.weights), -1).T
        return Pointwise(weights, self.bias)(seen.reshape(*seen.shape[:2], -1))


@dataclass(frozen=True, eq=False)
class Depthwise:
    """A convolution of each channel by itself: weights are (side, side, channel)."""

    weights: np.ndarray
    bias: np.ndarray
    stride: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The convolved image."""
        seen = windows(image, len(self.weights), self.stride)
        result = np.einsum("hwcij,ijc->hwc", seen, self.weights)
        return np.add(result, self.bias, out=result)


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A convolution that sees one place: weights are (in, out)."""

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The convolved image."""
        rows, columns, channels = image.shape
        result = image.reshape(-1, channels) @ self.weights  # one product of matrices is faster than one for each row
        return np.add(result, self.bias, out=result).reshape(rows, columns, -1)


@dataclass(frozen=True, eq=False)
class Block:
    """An inverted bottleneck: to many channels, a depthwise convolution, back to few; plus what came in, if it fits.

    The Lite networks have no squeeze-and-excitation, and cut off at 6 where the others have swish.
    """

    expand: Pointwise | None
    depthwise: Depthwise
    project: Pointwise

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The image after the block."""
        wide = image if self.expand is None else cut_off(self.expand(image))
        result = self.project(cut_off(self.depthwise(wide)))
        return result + image if result.shape == image.shape else result


class EfficientNetLite0:
    """The network, with each batch normalisation worked into the convolution before it."""

    def __init__(self, tensors: Tensors) -> None:
        """Take the tensors of the PyTorch port by their names. KeyError if one is missing."""
        self._tensors = tensors
        strides = [stride for count, first in STAGES for stride in (first, *[1] * (count - 1))]
        self._stem = Convolution(*self._normed("_conv_stem", "_bn0"), STEM_STRIDE)
        self._blocks = [self._block(f"_blocks.{i}.", stride) for i, stride in enumerate(strides)]
        self._head = self._pointwise("_conv_head", "_bn1")
        self._classes = Pointwise(tensors["_fc.weight"].T.astype(np.float64), tensors["_fc.bias"].astype(np.float64))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """A number for each class, the higher the likelier, for an image of 224 by 224 pixels (red, green, blue)."""
        if image.shape != (SIDE, SIDE, 3):
            raise ValueError(f"the image must have {SIDE} by {SIDE} pixels of three colours, not {image.shape}")
        result = cut_off(self._stem((image.astype(np.float64) - 127) / 128))
        for block in self._blocks:
            result = block(result)
        return cut_off(self._head(result)).mean(axis=(0, 1)) @ self._classes.weights + self._classes.bias

    def _block(self, name: str, stride: int) -> Block:
        expands = f"{name}_expand_conv.weight" in self._tensors
        weights, bias = self._normed(f"{name}_depthwise_conv", f"{name}_bn1")
        return Block(
            expand=self._pointwise(f"{name}_expand_conv", f"{name}_bn0") if expands else None,
            depthwise=Depthwise(np.ascontiguousarray(weights[:, 0].transpose(1, 2, 0)), bias, stride),
            project=self._pointwise(f"{name}_project_conv", f"{name}_bn2"),
        )

    def _pointwise(self, convolution: str, norm: str) -> Pointwise:
        weights, bias = self._normed(convolution, norm)
        return Pointwise(np.ascontiguousarray(weights[:, :, 0, 0].T), bias)

    def _normed(self, convolution: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
        """The weights (out, in, side, side) and the bias of a convolution with the batch normalisation behind it."""
        weights, scale, shift, mean, variance = (
            self._tensors[name].astype(np.float64)
            for name in (
                f"{convolution}.weight",
                f"{norm}.weight",
                f"{norm}.bias",
                f"{norm}.running_mean",
                f"{norm}.running_var",
            )
        )
        scale /= np.sqrt(variance + NORM_EPSILON)
        return weights * scale[:, None, None, None], shift - mean * scale


def cut_off(image: np.ndarray) -> np.ndarray:
    """The image with nothing below 0 or above 6 (ReLU6); written over the one that is given."""
    return np.clip(image, 0, 6, out=image)
