"""The map: a GenBank record in, its features drawn as arrows on lines, pictures out. No cloud in here.

The only module that loads Biopython, dna-features-viewer and matplotlib.
"""

from __future__ import annotations

import gzip
import io
import textwrap
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
from Bio import SeqIO
from Bio.SeqFeature import SeqFeature
from Bio.SeqRecord import SeqRecord
from dna_features_viewer import BiopythonTranslator, GraphicFeature, GraphicRecord
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

COLOURS: Mapping[str, str] = {
    "gene": "#bbccee",
    "CDS": "#4477aa",
    "mRNA": "#66ccee",
    "tRNA": "#228833",
    "rRNA": "#ee6677",
    "misc_feature": "#ccbb44",
    "repeat_region": "#cccccc",
    "variation": "#aa3377",
    "promoter": "#ee8866",
    "terminator": "#994455",
    "rep_origin": "#99ddff",
}
"""The colour of each type of feature."""
OTHER_COLOUR = "#ffffff"
LABELS = ("label", "gene", "product", "locus_tag", "note")
"""A feature's label is the first of these qualifiers that it has, else its type."""
WHOLE_RECORD = "source"
"""The type of the feature that is the record itself, which every record has."""
WIDTH_INCHES = 14.0
SIDE_INCHES = 0.5
HEAD_INCHES = 1.1
"""For the title and the legend."""
FOOT_INCHES = 0.5
TITLE_LENGTH = 120
LEVEL_INCHES = 0.35
"""Height of an arrow or a label, with the gap to the next."""
GAP_INCHES = 0.6
"""Between two lines, for the ruler's numbers."""
MAX_PIXELS = 100_000_000
"""Of a PNG. Each takes four bytes of memory."""
MAX_TEXT_BYTES = 64 * 2**20
"""Of a GenBank file, unpacked: a few MB of gzip may be gigabytes, and reading takes ten times as much memory, of the
1769 MB that the function has. The largest genomes of bacteria have about half of it."""
_GZIP_MAGIC = b"\x1f\x8b"
_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the same letters everywhere
    "svg.fonttype": "none",  # text stays text, which can be searched
    "svg.hashsalt": "dna_visualization",  # else the names inside an SVG are random
    "text.parse_math": False,  # a dollar sign is one
}
_NO_DATES: Mapping[str, dict[str, None]] = {"svg": {"Date": None}, "png": {"Software": None}}


def record_of(data: bytes) -> SeqRecord:
    """The record in a GenBank file's bytes, gzipped or not. ValueError says what is wrong with the file."""
    text = _unpacked(data) if data.startswith(_GZIP_MAGIC) else data
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"the object must be a GenBank file of at most {MAX_TEXT_BYTES} bytes, unpacked: it has more")
    try:
        return SeqIO.read(io.StringIO(text.decode()), "genbank")
    except ValueError as error:
        raise ValueError(f"the object must be a GenBank file with one record: {error}") from error


class Map:
    """A record's features, drawn on so many lines of equal length.

    Where `types` are given, only those are drawn, else all but the source. A feature of several parts, such as a gene's
    exons, is drawn as several arrows, and an arrow that goes on in the next line is drawn in both. A part that is in
    another record is left out.
    """

    def __init__(self, record: SeqRecord, lines: int, types: tuple[str, ...] | None = None) -> None:
        self._record = record
        self._lines = min(lines, len(record))
        self._features = [feature for feature in record.features if _is_wanted(feature, types)]
        with mpl.rc_context(_STYLE):
            self._figure = self._drawn()

    @property
    def arrows(self) -> int:
        """How many arrows there are in the picture."""
        return sum(len(axes.patches) for axes in self._figure.axes)

    def encoded(self, picture_format: str, dpi: int) -> bytes:
        """The picture as a file: `svg`, or `png` of so many dots per inch. The same bytes each time.

        ValueError if a `png` would have more than MAX_PIXELS.
        """
        width, height = (round(inches * dpi) for inches in self._figure.get_size_inches())
        if picture_format == "png" and width * height > MAX_PIXELS:
            raise ValueError(
                f"a png of {self._lines} lines at {dpi} dpi has {width} by {height} pixels, "
                f"{MAX_PIXELS} in all may be: ask for fewer lines or dpi, or for svg"
            )
        picture = io.BytesIO()
        with mpl.rc_context(_STYLE):
            self._figure.savefig(picture, format=picture_format, dpi=dpi, metadata=_NO_DATES[picture_format])
        return picture.getvalue()

    def _drawn(self) -> Figure:
        figure = Figure(figsize=(WIDTH_INCHES, self._lines))
        FigureCanvasAgg(figure)  # measures the labels
        side = SIDE_INCHES / WIDTH_INCHES
        rows = figure.subplots(self._lines, squeeze=False, gridspec_kw={"left": side, "right": 1 - side})[:, 0]
        for line, axes in zip(self._cut(), rows, strict=True):
            line.plot(ax=axes)
        _fit_heights(figure, list(rows))
        self._add_head(figure)
        return figure

    def _cut(self) -> Iterator[_Line]:
        """The record's lines, each with the arrows that are in it."""
        length, arrows = len(self._record), list(self._arrows())
        for number in range(self._lines):
            start, end = (1 + length * i // self._lines for i in (number, number + 1))
            here = [arrow.crop((start, end)) for arrow in arrows if arrow.start < end and arrow.end > start]
            for arrow in here:
                arrow.data["name"] += f"-line-{number + 1}"
            yield _Line(sequence_length=end - start, first_index=start, features=here)

    def _arrows(self) -> Iterator[GraphicFeature]:
        translator = _Translator()
        for number, feature in enumerate(self._features, start=1):
            for part_number, part in enumerate(feature.location.parts, start=1):
                if part.ref is not None:
                    continue
                arrow = translator.translate_feature(SeqFeature(part, type=feature.type, qualifiers=feature.qualifiers))
                beside = 1 if arrow.start == arrow.end else 0  # what lies between two bases takes the room of both
                arrow.start += 1 - beside  # bases count from 1 in GenBank, and so on the ruler
                arrow.end += 1 + beside
                arrow.data["name"] = f"feature-{number}-part-{part_number}"
                yield arrow

    def _add_head(self, figure: Figure) -> None:
        inch = 1 / figure.get_figheight()
        record = self._record
        shape = record.annotations.get("topology", "linear")
        title = f"{record.id} ({len(record):,} bp, {shape}): {record.description}"
        figure.suptitle(textwrap.shorten(title, TITLE_LENGTH), y=1 - 0.25 * inch, va="top", fontsize=13)
        types = dict.fromkeys(feature.type for feature in self._features)
        if types:
            handles = [Patch(facecolor=_colour(name), edgecolor="black", label=name) for name in types]
            place = (0.5, 1 - 0.6 * inch)
            figure.legend(handles=handles, loc="upper center", bbox_to_anchor=place, ncols=len(types), frameon=False)


class _Line(GraphicRecord):
    """A line of the map. Its arrows have names in an SVG, and it leaves the height of the picture alone."""

    def plot_feature(self, ax: Axes, feature: GraphicFeature, level: float, linewidth: float = 1.0) -> Patch:
        """Draw a feature's arrow, named."""
        arrow = super().plot_feature(ax, feature, level, linewidth)
        arrow.set_gid(feature.data["name"])
        return arrow

    def finalize_ax(self, ax: Axes, **settings: Any) -> object:  # noqa: ANN401 - handed on as they come
        """Set limits and ticks, with just the room that the levels need."""
        return super().finalize_ax(ax, **{**settings, "ideal_yspan": 0})


class _Translator(BiopythonTranslator):
    """Features as this map shows them: colours by type, labels as documented."""

    label_fields = LABELS

    def compute_feature_color(self, feature: SeqFeature) -> str:
        """The colour of the feature's type."""
        return _colour(feature.type)


def _unpacked(data: bytes) -> bytes:
    """What is in a gzip file, but no more than shows that it is too much."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            return packed.read(MAX_TEXT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the object must be a GenBank file, and its gzip is broken: {error}") from error


def _is_wanted(feature: SeqFeature, types: tuple[str, ...] | None) -> bool:
    if feature.location is None:
        return False
    return feature.type != WHOLE_RECORD if types is None else feature.type in types


def _colour(feature_type: str) -> str:
    return COLOURS.get(feature_type, OTHER_COLOUR)


def _fit_heights(figure: Figure, rows: list[Axes]) -> None:
    """Give each line the height that its levels need, and the figure the sum."""
    heights = [LEVEL_INCHES * (axes.get_ylim()[1] - axes.get_ylim()[0]) for axes in rows]
    lines, gaps = sum(heights), GAP_INCHES * (len(rows) - 1)
    total = HEAD_INCHES + lines + gaps + FOOT_INCHES
    figure.set_size_inches(WIDTH_INCHES, total)
    rows[0].get_gridspec().set_height_ratios(heights)
    figure.subplots_adjust(
        top=1 - HEAD_INCHES / total, bottom=FOOT_INCHES / total, hspace=GAP_INCHES / (lines / len(rows))
    )
