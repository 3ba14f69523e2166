"""The frames of a clip: cut into parts, sampled, packed as JPEGs. No cloud in here, and the only module with OpenCV."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SHORT_SIDE = 256
"""The smaller of width and height of a part's frames, in pixels."""
QUALITY = 90
"""Of JPEGs, in per cent: those that a part's video consists of, and those that are packed."""

cv2.setNumThreads(1)  # a Lambda function of 1769 MB has one vCPU, and threads would take turns on it


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a clip's frames in a row, from `start` to `stop`, which is excluded, as a video of their own."""

    video: bytes
    start: int
    stop: int
    clip_frames: int
    frames_per_second: float


def bounds(frames: int, part: int, parts: int) -> tuple[int, int]:
    """The first frame of a part, and the first one behind it. Parts count from 1 and differ by one frame at most."""
    return (part - 1) * frames // parts, part * frames // parts


def cut(clip: bytes, part: int, parts: int) -> Part:
    """One of so many equal parts of a clip, its frames scaled to a height (or width, if less) of SHORT_SIDE.

    The clip's frames are counted and not taken from its header, which may be wrong: no frame is lost or comes twice.
    """
    with _file(clip) as path:
        with _opened(path, cv2.CAP_ANY) as capture:
            count = _skipped(capture)
            frames_per_second = capture.get(cv2.CAP_PROP_FPS)
        if count < parts:
            raise ValueError(f"a clip of {count} frames can't be cut into {parts} parts: order at most {count} parts")
        start, stop = bounds(count, part, parts)
        with _opened(path, cv2.CAP_ANY) as capture:
            _skipped(capture, start)
            video = _video((scaled(_next(capture)) for _ in range(start, stop)), frames_per_second)
    return Part(video, start, stop, count, frames_per_second)


def scaled(image: np.ndarray) -> np.ndarray:
    """The image with SHORT_SIDE pixels on its shorter side, its proportions kept."""
    height, width = image.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR_EXACT
    return cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=method)


def stills(video: bytes, start: int, stop: int, every: int) -> bytes:
    """The frames of a part's video whose numbers can be divided by `every`, packed.

    Numbers are those in the clip, from `start` to `stop`, so that it doesn't matter into how many parts it was cut.
    """
    with _file(video) as path, _opened(path, cv2.CAP_OPENCV_MJPEG) as capture:
        numbered = ((number, _next(capture)) for number in range(start, stop))
        return packed({number: image for number, image in numbered if number % every == 0})


def packed(images: Mapping[int, np.ndarray]) -> bytes:
    """Images (blue, green, red) as JPEGs by number, in a ZIP file. The same images make the same bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for number, image in sorted(images.items()):
            encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
            file.writestr(zipfile.ZipInfo(f"{number:06}.jpg"), encoded.tobytes())
    return archive.getvalue()


def unpacked(archive: bytes) -> dict[int, np.ndarray]:
    """The packed images by number, red first."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {int(Path(name).stem): _decoded(file.read(name)) for name in file.namelist()}


def _decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@contextmanager
def _file(data: bytes) -> Iterator[Path]:
    """A file with the data: OpenCV opens videos by path only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video"
        path.write_bytes(data)
        yield path


@contextmanager
def _opened(path: Path, backend: int) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path), backend)
    try:
        if not capture.isOpened():
            raise ValueError("the clip must be a video that OpenCV can read, such as MPEG-4 in an MP4 file")
        yield capture
    finally:
        capture.release()


def _skipped(capture: cv2.VideoCapture, frames: int | None = None) -> int:
    """How many frames were skipped: so many, or all that there are."""
    count = 0
    while count != frames and capture.grab():
        count += 1
    return count


def _next(capture: cv2.VideoCapture) -> np.ndarray:
    read, image = capture.read()
    if not read:
        raise ValueError("the video must have as many frames as were counted, but ends before")
    return image


def _video(images: Iterator[np.ndarray], frames_per_second: float) -> bytes:
    """Images as a video of JPEGs, by OpenCV's own encoder: FFmpeg's may write other bytes on another processor."""
    first = next(images)
    size = (first.shape[1], first.shape[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.avi"
        writer = cv2.VideoWriter(
            str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), frames_per_second, size
        )
        writer.set(cv2.VIDEOWRITER_PROP_QUALITY, QUALITY)
        writer.write(first)
        for image in images:
            writer.write(image)
        writer.release()
        return path.read_bytes()
