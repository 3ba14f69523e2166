"""The pixels: bytes of a photo in, bytes of a photo out. No cloud in here, and the only module that loads Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from PIL import Image, ImageFilter, ImageOps

GRAIN_SIZE = 5
"""Side of the median filter's window, in pixels."""
BLUR_RADIUS = 8
THUMBNAIL_SIZE = (128, 128)
"""The largest width and height of a thumbnail, in pixels."""
JPEG_QUALITY = 75


def transformed(photo: bytes, transformation: str, passes: int) -> bytes:
    """The photo, cleaned of grain `passes` times and transformed, as a JPEG."""
    with Image.open(io.BytesIO(photo)) as image:
        result = PIXELS[transformation](cleaned(image.convert("RGB"), passes))
    encoded = io.BytesIO()
    result.save(encoded, format="JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue()


def cleaned(image: Image.Image, passes: int) -> Image.Image:
    """The image after so many median filters, which take the grain and leave the edges: where the CPU goes."""
    for _ in range(passes):
        image = image.filter(ImageFilter.MedianFilter(GRAIN_SIZE))
    return image


def flipped(image: Image.Image) -> Image.Image:
    """The image in a mirror, left to right."""
    return ImageOps.mirror(image)


def rotated(image: Image.Image) -> Image.Image:
    """The image turned by a quarter, counter-clockwise."""
    return image.transpose(Image.Transpose.ROTATE_90)


def blurred(image: Image.Image) -> Image.Image:
    """The image out of focus."""
    return image.filter(ImageFilter.GaussianBlur(BLUR_RADIUS))


def greyed(image: Image.Image) -> Image.Image:
    """The image without its colours."""
    return ImageOps.grayscale(image)


def shrunk(image: Image.Image) -> Image.Image:
    """The image as a thumbnail, its proportions kept."""
    return ImageOps.contain(image, THUMBNAIL_SIZE)


PIXELS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "flip": flipped,
    "rotate": rotated,
    "blur": blurred,
    "greyscale": greyed,
    "resize": shrunk,
}
"""What each transformation does to the pixels."""
