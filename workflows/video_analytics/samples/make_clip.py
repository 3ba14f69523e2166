# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["numpy==2.2.6", "opencv-python-headless==4.10.0.84", "scikit-image==0.26.0"]
# ///
"""Makes the sample clip of four photos that scikit-image ships: `uv run --no-project samples/make_clip.py clip.mp4`.

Each photo is a scene in which the camera moves and comes closer. The scenes differ in length, and the number of frames
can't be divided by four, so that parts of equal length don't coincide with scenes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage import data

WIDTH, HEIGHT, FRAMES_PER_SECOND = 320, 240, 12
SOFTNESS = 0.5
"""Standard deviation of the blur, in pixels of a frame as wide as the photo: a sharp photo is a large file."""


@dataclass(frozen=True)
class Scene:
    """A photo, and the windows of it that the first and the last frame show: middle (x, y) and width, in its width."""

    photo: str
    frames: int
    first: tuple[float, float, float]
    last: tuple[float, float, float]

    def images(self) -> Iterator[np.ndarray]:
        """The scene's frames, blue first as OpenCV has it."""
        photo = getattr(data, self.photo)()
        photo = cv2.cvtColor(photo, cv2.COLOR_GRAY2BGR if photo.ndim == 2 else cv2.COLOR_RGB2BGR)
        photo = cv2.GaussianBlur(photo, (0, 0), SOFTNESS * photo.shape[1] / WIDTH)
        for i in range(self.frames):
            share = i / (self.frames - 1)
            x, y, width = (a + (b - a) * share for a, b in zip(self.first, self.last, strict=True))
            yield window(photo, x, y, width)


SCENES = (
    Scene("coffee", 20, (0.46, 0.32, 0.80), (0.52, 0.34, 0.66)),
    Scene("camera", 16, (0.52, 0.52, 0.96), (0.56, 0.56, 0.80)),
    Scene("chelsea", 23, (0.46, 0.32, 0.86), (0.50, 0.30, 0.70)),
    Scene("rocket", 16, (0.50, 0.38, 0.50), (0.50, 0.40, 0.36)),
)


def window(photo: np.ndarray, x: float, y: float, width: float) -> np.ndarray:
    """A window of the photo in the clip's size; all three numbers are in widths of the photo."""
    pixels = photo.shape[1]
    scale = WIDTH / (width * pixels)
    move = np.array([[scale, 0, WIDTH / 2 - scale * x * pixels], [0, scale, HEIGHT / 2 - scale * y * pixels]])
    return cv2.warpAffine(photo, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def main(target: Path) -> None:
    """Write the clip, as MPEG-4 in an MP4 file."""
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_PER_SECOND, (WIDTH, HEIGHT))
    for scene in SCENES:
        for image in scene.images():
            writer.write(image)
    writer.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
