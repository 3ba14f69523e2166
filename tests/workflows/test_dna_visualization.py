"""dna_visualization: its maps, its orders, its graph and its runs.

The records are read here a second time, by a few lines without Biopython, and the maps are compared with that.
"""

import gzip
import io
import re
import tracemalloc
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "dna_visualization"
SAMPLES = FOLDER / "samples"
PLASMID, CHLOROPLAST = (SAMPLES / "plasmid.gb").read_bytes(), (SAMPLES / "chloroplast.gb.gz").read_bytes()
COLOURS = {
    "gene": "#bbccee",
    "CDS": "#4477aa",
    "tRNA": "#228833",
    "rRNA": "#ee6677",
    "misc_feature": "#ccbb44",
    "repeat_region": "#cccccc",
    "variation": "#aa3377",
}
SVG = "{http://www.w3.org/2000/svg}"
RULER_LEFT, RULER_WIDTH = 36, 936
"""Of a line, in points: 14 inches less half an inch on both sides."""
RECORD = """\
LOCUS       TEST                      60 bp    DNA     linear   UNK 01-JAN-2000
DEFINITION  Ten bases $ six $ times.
ACCESSION   TEST
VERSION     TEST.1
FEATURES             Location/Qualifiers
     source          1..60
                     /organism="none"
{features}ORIGIN
        1 acgtacgtac acgtacgtac acgtacgtac acgtacgtac acgtacgtac acgtacgtac
//
"""


@pytest.fixture
def maps(load):
    """The workflow's module that draws."""
    return load("dna_visualization", "maps")


@dataclass(frozen=True)
class Part:
    """A part of a feature: bases from 1, both ends included; strand 1 or -1."""

    feature: int
    part: int
    type: str
    first: int
    last: int
    strand: int


@dataclass(frozen=True)
class Arrow:
    """An arrow in an SVG: its colour, the x of its ends, and the x of its point, if it has one."""

    colour: str
    left: float
    right: float
    point: float | None


def parts(data):
    """The parts of the features in a GenBank file, but for the source: read by columns, as the format is defined."""
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("ascii")
    table = text.partition("\nFEATURES")[2].partition("\nORIGIN")[0]
    features = re.findall(r"^ {5}(\S+) +([^/]+?)(?=\n {21}/|\n {5}\S|\Z)", table, re.MULTILINE)
    features = [(kind, re.sub(r"\s", "", location)) for kind, location in features if kind != "source"]
    return [part for number, feature in enumerate(features, 1) for part in parts_of(number, *feature)]


def parts_of(number, kind, location):
    """The parts of a feature's location, in the order in which they are read: complements of joins backwards."""
    spans = [
        (int(first), int(last or first), -1 if is_complement else 1)
        for is_complement, first, _, last in re.findall(r"(complement\()?<?(\d+)(?:(\.\.|\^)>?(\d+))?", location)
    ]
    if location.startswith(("complement(join(", "complement(order(")):
        spans = [(first, last, -1) for first, last, _ in reversed(spans)]
    return [Part(number, place, kind, *span) for place, span in enumerate(spans, 1)]


def lines_of(length, lines):
    """The first and the last base of each line."""
    return [(1 + length * line // lines, length * (line + 1) // lines) for line in range(lines)]


def arrows(svg):
    """The arrows of a map by their names."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("id", "").startswith("feature-"):
            path = group.find(f"{SVG}path")
            points = [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d"))]
            left, right = min(x for x, _ in points), max(x for x, _ in points)
            tips = [end for end in (left, right) if len({round(y) for x, y in points if abs(x - end) < 0.05}) == 1]
            colour = re.search(r"fill: (#\w+)", path.get("style"))[1]
            found[group.get("id")] = Arrow(colour, left, right, tips[0] if tips else None)
    return found


def texts(svg):
    """The texts of a map, in the order of the file."""
    return ["".join(text.itertext()).strip() for text in ET.fromstring(svg).iter(f"{SVG}text")]


def drawn(maps, *features, lines=1, **settings):
    """The map of a record of 60 bases with these features, each a text `type location`, as SVG."""
    rows = [f"     {kind:<16}{location}\n" for kind, location in (feature.split(maxsplit=1) for feature in features)]
    record = maps.record_of(RECORD.format(features="".join(rows)).encode())
    return maps.Map(record, lines, **settings).encoded("svg", 100)


def order(app, **changes):
    """An order for a map, with changes."""
    return app.Order.of({"bucket": "b", "key": "input/k.gb", "region": "us-east-1", **changes})


@pytest.mark.parametrize(
    ("data", "length", "lines"), [(PLASMID, 9609, 4), (CHLOROPLAST, 154478, 16)], ids=["plasmid", "chloroplast"]
)
def test_map_when_given_a_sample_then_has_an_arrow_for_each_part_of_each_feature(maps, data, length, lines):
    """Each on its line, of the colour of its type, as long as it has bases; none is missing and none is too much."""
    wanted = parts(data)
    found = arrows(maps.Map(maps.record_of(data), lines).encoded("svg", 100))
    names = set()
    for number, (start, end) in enumerate(lines_of(length, lines), 1):
        point_per_base = RULER_WIDTH / (end - start + 1)
        for part in wanted:
            if part.first <= end and part.last >= start:
                name = f"feature-{part.feature}-part-{part.part}-line-{number}"
                left = RULER_LEFT + (max(part.first, start) - start) * point_per_base
                right = RULER_LEFT + (min(part.last, end) + 1 - start) * point_per_base
                names.add(name)
                assert found[name].colour == COLOURS[part.type]
                assert (found[name].left, found[name].right) == pytest.approx((left, right), abs=2)
    assert set(found) == names


def test_parts_when_the_samples_are_read_then_are_as_many_as_the_readme_says():
    """The reader of these tests is one to rely on."""
    plasmid, chloroplast = parts(PLASMID), parts(CHLOROPLAST)
    assert (plasmid[-1].feature, len(plasmid)) == (40, 41)
    assert (chloroplast[-1].feature, len(chloroplast)) == (258, 287)
    assert plasmid[9] == Part(10, 1, "misc_feature", 1367, 1669, 1)
    assert chloroplast[0] == Part(1, 1, "gene", 69611, 69724, -1)
    assert chloroplast[1] == Part(1, 2, "gene", 97999, 98793, -1)


def test_map_when_given_the_plasmid_then_shows_the_labels_of_its_features(maps):
    """By the first of their qualifiers, besides the title, the legend and the ruler."""
    svg = maps.Map(maps.record_of(PLASMID), 1).encoded("svg", 100)
    shown = texts(svg)
    counts = {label: shown.count(label) for label in ("pla", "rop", "putative transposase", "hypothetical protein")}
    assert counts == {"pla": 3, "rop": 3, "putative transposase": 1, "hypothetical protein": 3}
    assert "NC_005816.1 (9,609 bp, circular): Yersinia pestis biovar Microtus str. 91001 plasmid pPCP1" in svg.decode()
    assert {"repeat_region", "gene", "CDS", "misc_feature", "variation", "9,000"} <= set(shown)


@pytest.mark.parametrize("strand", [1, -1])
def test_map_when_a_feature_has_a_strand_then_points_its_way(maps, strand):
    """To the right if it is read forwards, to the left if it is on the complement."""
    arrow = arrows(drawn(maps, f"CDS {'11..50' if strand == 1 else 'complement(11..50)'}"))["feature-1-part-1-line-1"]
    assert arrow.point == (arrow.right if strand == 1 else arrow.left)


def test_map_when_a_feature_has_parts_then_draws_each_of_them(maps):
    """Exons as arrows, introns as gaps; what is in another record is not drawn."""
    found = arrows(drawn(maps, "CDS join(1..20,31..40,J00194.1:5..9,51..60)"))
    bases = {name: round((arrow.right - arrow.left) / RULER_WIDTH * 60) for name, arrow in found.items()}
    assert bases == {"feature-1-part-1-line-1": 20, "feature-1-part-2-line-1": 10, "feature-1-part-4-line-1": 10}


def test_map_when_a_feature_goes_on_in_the_next_line_then_is_cut_without_a_point(maps):
    """Only the line in which it ends shows its point."""
    found = arrows(drawn(maps, "CDS 21..50", lines=2))
    assert found["feature-1-part-1-line-1"].point is None
    assert found["feature-1-part-1-line-2"].point == found["feature-1-part-1-line-2"].right


def test_map_when_a_feature_ends_with_a_line_then_is_not_in_the_next(maps):
    """The last base of a line belongs to that line alone."""
    names = list(arrows(drawn(maps, "CDS 11..30", "gene 31..40", lines=2)))
    assert names == ["feature-1-part-1-line-1", "feature-2-part-1-line-2"]


def test_map_when_a_feature_lies_between_two_bases_then_shows_it(maps):
    """An insertion has no width, but a place."""
    (arrow,) = arrows(drawn(maps, "variation 30^31")).values()
    assert (arrow.left + arrow.right) / 2 == pytest.approx(RULER_LEFT + RULER_WIDTH / 2, abs=2)
    assert arrow.right - arrow.left == pytest.approx(2 * RULER_WIDTH / 60, abs=2)


def test_map_when_types_are_given_then_draws_only_those(maps):
    """Even the source, if it is asked for, in the colour of types that have none of their own."""
    svg = drawn(maps, "CDS 11..30", "gene 11..30", types=("CDS", "source"))
    assert [arrow.colour for arrow in arrows(svg).values()] == ["#ffffff", "#4477aa"]
    assert "gene" not in texts(svg)


@pytest.mark.parametrize(
    ("qualifiers", "label"),
    [
        ('/product="polymerase" /gene="polA"', "polA"),
        ('/note="a note" /locus_tag="T_1"', "T_1"),
        ('/note="of $one$ & <two>"', "of $one$ & <two>"),
        ("/pseudo", "CDS"),
    ],
)
def test_map_when_a_feature_has_qualifiers_then_its_label_is_the_first_that_is_known(maps, qualifiers, label):
    """Texts are shown as they are: neither formulas nor tags."""
    rows = "".join(f"\n{'':21}{qualifier}" for qualifier in re.findall(r'/\w+(?:="[^"]*")?', qualifiers))
    assert label in texts(drawn(maps, f"CDS 1..60{rows}"))


def test_map_when_there_is_no_feature_then_shows_the_empty_line(maps):
    """The ruler and the title are there all the same."""
    svg = drawn(maps)
    assert arrows(svg) == {}
    assert "TEST.1 (60 bp, linear): Ten bases $ six $ times" in texts(svg)


def test_map_when_asked_for_more_lines_than_bases_then_has_a_line_for_each_base(maps):
    """A line of no bases can't be drawn."""
    record = maps.record_of(PLASMID)[:5]
    assert maps.Map(record, 100).encoded("svg", 100) == maps.Map(record, 5).encoded("svg", 100)


def test_map_when_drawn_twice_then_has_the_same_bytes(maps):
    """No dates and no random names, so that a second attempt changes nothing."""
    first, second = (maps.Map(maps.record_of(PLASMID), 1) for _ in range(2))
    assert first.encoded("svg", 100) == second.encoded("svg", 100)
    assert first.encoded("png", 50) == second.encoded("png", 50)
    assert b"<dc:date>" not in first.encoded("svg", 100)


def test_map_when_drawn_as_png_then_is_as_large_as_ordered_and_shows_the_colours(maps):
    """Fourteen inches wide; each type's share of the pixels is what its bases and the height of an arrow give."""
    image = Image.open(io.BytesIO(maps.Map(maps.record_of(PLASMID), 4).encoded("png", 100))).convert("RGB")
    root = ET.fromstring(maps.Map(maps.record_of(PLASMID), 4).encoded("svg", 100))
    height_pt = float(root.get("height").removesuffix("pt"))
    assert image.size == (1400, pytest.approx(height_pt * 100 / 72, abs=1))
    counts = {colour: count for count, colour in image.getcolors(image.width * image.height)}
    assert counts[(255, 255, 255)] > 0.7 * image.width * image.height
    pixels_per_base, arrow_height = 1300 * 4 / 9609, 14 * 100 / 72
    for kind in ("gene", "CDS", "misc_feature", "repeat_region"):
        bases = sum(part.last + 1 - part.first for part in parts(PLASMID) if part.type == kind)
        colour = tuple(bytes.fromhex(COLOURS[kind][1:]))
        assert 0.7 < counts[colour] / (bases * pixels_per_base * arrow_height) < 1.05


def test_map_when_a_png_would_be_too_large_then_says_so(maps):
    """Before the memory is asked for."""
    with pytest.raises(ValueError, match=r"a png of 9 lines at 600 dpi has 8400 by \d+ pixels"):
        maps.Map(maps.record_of(PLASMID), 9).encoded("png", 600)


@pytest.mark.parametrize(
    "data", [b"", b"no record", PLASMID + PLASMID, b"\xff\xfe"], ids=["empty", "no record", "two records", "not text"]
)
def test_record_of_when_the_object_is_not_one_record_then_says_what_it_must_be(maps, data):
    """A picture of something else would be no help."""
    with pytest.raises(ValueError, match="must be a GenBank file with one record"):
        maps.record_of(data)


BROKEN = {
    "cut off": CHLOROPLAST[:-100],
    "without its end": CHLOROPLAST[:-8],
    "another checksum": CHLOROPLAST[:-8] + bytes(4) + CHLOROPLAST[-4:],
    "no deflate": CHLOROPLAST[:10] + b"\xff" * 100,
    "another method": b"\x1f\x8b\x00" + CHLOROPLAST[3:],
    "the magic number alone": b"\x1f\x8b",
    "something behind it": CHLOROPLAST + b"ORIGIN",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_record_of_when_the_gzip_is_broken_then_says_so(maps, data):
    """However it is: the library has three kinds of exceptions for that, and none says what was read."""
    with pytest.raises(ValueError, match=r"the object must be a GenBank file, and its gzip is broken: .") as raised:
        maps.record_of(data)
    assert raised.type is ValueError


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_record_of_when_the_text_is_larger_than_allowed_then_says_how_much_is(maps, monkeypatch, pack):
    """A byte more than the limit is too much, a file of just so many is not."""
    monkeypatch.setattr(maps, "MAX_TEXT_BYTES", len(PLASMID))
    assert len(maps.record_of(pack(PLASMID))) == 9609
    with pytest.raises(ValueError, match=rf"of at most {len(PLASMID)} bytes, unpacked"):
        maps.record_of(pack(PLASMID + b"\n"))


def test_record_of_when_a_small_file_would_unpack_to_a_large_one_then_does_not_unpack_it(maps):
    """A bomb of 256 MiB is refused when a quarter of it has been unpacked."""
    bomb = gzip.compress(bytes(16 * 2**20)) * 16
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="at most 67108864 bytes"):
            maps.record_of(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * maps.MAX_TEXT_BYTES


def test_order_when_everything_is_given_then_has_it(app):
    """A format that is asked for twice is made once."""
    wanted = app.Order("b", "input/k.gb", "us-east-1", 16, ("CDS",), ("png", "svg"), 300)
    assert order(app, lines=16, types=["CDS"], formats=["png", "svg", "png"], dpi=300) == wanted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lines": 0}, "lines must be a whole number from 1 to 100"),
        ({"lines": 101}, "lines must be"),
        ({"lines": True}, "lines must be"),
        ({"lines": 2.5}, "lines must be"),
        ({"dpi": 49}, "dpi must be a whole number from 50 to 600"),
        ({"types": "CDS"}, "types must be"),
        ({"types": []}, "types must be"),
        ({"types": ["CDS", 1]}, "types must be"),
        ({"formats": []}, "formats must be"),
        ({"formats": "svg"}, "formats must be"),
        ({"formats": ["svg", "pdf"]}, "formats must be a list out of svg, png"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong order fails before anything was read or drawn."""
    with pytest.raises(ValueError, match=message):
        order(app, **changes)


def test_graph_when_derived_then_is_one_function():
    """The entry point is all there is."""
    graph = derive_graph(FOLDER)
    assert [(node.function, node.sync) for node in graph.nodes] == [("visualize", False)]
    assert graph.entry.function == "visualize"
    assert not graph.edges


@pytest.mark.local_cloud
def test_run_when_played_twice_then_writes_the_same_map_as_svg_and_png(play, maps):
    """The whole workflow: what it leaves in S3 is the record's map, the same from each run."""
    first, second = (play("dna_visualization", sample="input_light.json") for _ in range(2))
    drawn_here = maps.Map(maps.record_of(PLASMID), 4)
    assert first.outputs == {f"map.{kind}": drawn_here.encoded(kind, 100) for kind in ("svg", "png")}
    assert second.outputs == first.outputs
    assert first.run_id != second.run_id
