"""image_processing: its pixels, its orders, its graph and its runs."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "image_processing"
SAMPLES = FOLDER / "samples"
TRANSFORMATIONS = ("flip", "rotate", "blur", "greyscale", "resize")
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def pictures(load):
    """The workflow's module of pixel operations."""
    return load("image_processing", "pictures")


@pytest.fixture
def quarters():
    """64 by 32 pixels in four quarters: red and green above, blue and white below."""
    image = Image.new("RGB", (64, 32))
    for colour, corner in ((RED, (0, 0)), (GREEN, (32, 0)), (BLUE, (0, 16)), (WHITE, (32, 16))):
        image.paste(colour, (*corner, corner[0] + 32, corner[1] + 16))
    return image


def colours(image):
    """The colours in the middles of the four quarters, from left to right, from above."""
    width, height = image.size
    return [image.getpixel((width * x // 4, height * y // 4)) for y in (1, 3) for x in (1, 3)]


def order(app, **changes):
    """An order for a photo, with changes."""
    return app.Order.of({"bucket": "b", "key": "input/k.jpg", "region": "us-east-1", **changes})


def opened(data):
    """The image in a file's bytes."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_flipped_when_given_four_colours_then_swaps_left_and_right(pictures, quarters):
    """A mirror, pixel by pixel."""
    flipped = pictures.flipped(quarters)
    assert flipped.size == (64, 32)
    assert colours(flipped) == [GREEN, RED, WHITE, BLUE]


def test_rotated_when_given_four_colours_then_turns_by_a_quarter(pictures, quarters):
    """Counter-clockwise, so that the right edge comes to the top."""
    rotated = pictures.rotated(quarters)
    assert rotated.size == (32, 64)
    assert colours(rotated) == [GREEN, WHITE, RED, BLUE]


def test_blurred_when_given_sharp_edges_then_softens_them(pictures, quarters):
    """Colours mix at the edges: the spread goes down, the mean stays."""
    before, after = ImageStat.Stat(quarters), ImageStat.Stat(pictures.blurred(quarters))
    assert all(a < 0.9 * b for a, b in zip(after.stddev, before.stddev, strict=True))
    assert after.mean == pytest.approx(before.mean, abs=2)


def test_greyed_when_given_colours_then_has_one_channel(pictures, quarters):
    """Only the brightness is left."""
    grey = pictures.greyed(quarters)
    assert grey.mode == "L"
    assert colours(grey) == [76, 150, 29, 255]


def test_shrunk_when_given_a_large_image_then_keeps_its_proportions(pictures):
    """A thumbnail fits into 128 by 128 pixels."""
    assert pictures.shrunk(Image.new("RGB", (512, 600))).size == (109, 128)


def test_cleaned_when_there_is_a_speck_then_takes_it_out(pictures, quarters):
    """A pixel that differs from all around it is grain."""
    speckled = quarters.copy()
    speckled.putpixel((10, 8), WHITE)
    assert pictures.cleaned(speckled, 1).getpixel((10, 8)) == RED
    assert pictures.cleaned(speckled, 0).getpixel((10, 8)) == WHITE


@pytest.mark.parametrize(
    ("transformation", "size", "mode"),
    [
        ("flip", (512, 600), "RGB"),
        ("rotate", (600, 512), "RGB"),
        ("blur", (512, 600), "RGB"),
        ("greyscale", (512, 600), "L"),
        ("resize", (109, 128), "RGB"),
    ],
)
def test_transformed_when_given_the_sample_photo_then_gives_a_jpeg_as_the_readme_says(
    pictures, transformation, size, mode
):
    """From bytes to bytes, the same ones each time, so that a second attempt changes nothing."""
    photo = (SAMPLES / "photo.jpg").read_bytes()
    result = pictures.transformed(photo, transformation, 1)
    image = opened(result)
    assert (image.format, image.size, image.mode) == ("JPEG", size, mode)
    assert result == pictures.transformed(photo, transformation, 1)


def test_transformed_when_flipped_then_shows_the_photo_in_a_mirror(pictures):
    """Through JPEG and back the pixels are almost those of the mirrored photo."""
    photo = (SAMPLES / "photo.jpg").read_bytes()
    result, expected = opened(pictures.transformed(photo, "flip", 0)), pictures.flipped(opened(photo))
    assert result.getpixel((100, 300)) == pytest.approx(expected.getpixel((100, 300)), abs=16)


def test_pixels_when_compared_with_the_orders_then_have_the_same_transformations(app, pictures):
    """What can be ordered can be done."""
    assert tuple(pictures.PIXELS) == app.TRANSFORMATIONS == TRANSFORMATIONS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transformations": ["flip", "crop"]}, "transformations must be"),
        ({"transformations": "flip"}, "transformations must be"),
        ({"passes": -1}, "passes must be"),
        ({"passes": 101}, "passes must be"),
        ({"passes": True}, "passes must be"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong order fails at the entry, before anything was sent."""
    with pytest.raises(ValueError, match=message):
        order(app, **changes)


def test_result_key_when_asked_twice_then_is_the_same(app):
    """A retried function writes to the same place, and another run to another."""
    assert order(app).result_key("run-1", "flip") == "output/run-1/flip.jpg"


def test_graph_when_derived_then_has_five_conditional_edges_from_the_entry():
    """Each transformation is a conditional edge, in the order of the source."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    assert function[graph.entry.name] == "get_input"
    edges = [(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges]
    assert edges == [("get_input", name, True) for name in TRANSFORMATIONS]
    assert not any(node.sync for node in graph.nodes)


@pytest.mark.local_cloud
def test_run_when_given_the_light_sample_then_writes_each_transformation_of_the_photo(play, pictures):
    """The whole workflow: what it leaves in S3 is the transformed photo, one object a transformation."""
    played = play("image_processing", sample="input_light.json")
    photo = (SAMPLES / "photo.png").read_bytes()
    assert played.outputs == {f"{name}.jpg": pictures.transformed(photo, name, 0) for name in TRANSFORMATIONS}
