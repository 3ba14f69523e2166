"""markdown_to_html: its pages, its orders, its graph and its runs.

The pages are read back by `html.parser`, and compared with what the documents say line by line.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "markdown_to_html"
SAMPLES = FOLDER / "samples"
GUIDE, README = (SAMPLES / "guide.md").read_text(), (SAMPLES / "readme.md").read_text()
VOID = frozenset({"meta", "hr", "br", "img"})
HEADINGS = tuple(f"h{level}" for level in range(1, 7))


class Read(HTMLParser):
    """A page as a browser would find it: `(tag, attributes, text)` of each element, in the order of their ends.

    An element's tag has those around it in front, from the page's main part on: `main/table/tbody/tr/td`.
    """

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.declarations, self.elements, self._open = [], [], []
        self.feed(page)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_decl(self, decl):
        """Keep the kind of the document."""
        self.declarations.append(decl)

    def handle_starttag(self, tag, attrs):
        """Go into an element."""
        element = (tag, dict(attrs), [])
        if tag in VOID:
            self.elements.append(("/".join([*(name for name, _, _ in self._open), tag]), element[1], ""))
        else:
            self._open.append(element)

    def handle_endtag(self, tag):
        """Come out of an element, which must be the innermost."""
        path = "/".join(name for name, _, _ in self._open)
        name, attributes, text = self._open.pop()
        assert name == tag
        self.elements.append((path, attributes, "".join(text)))

    def handle_data(self, data):
        """Take a text for all elements around it."""
        for _, _, text in self._open:
            text.append(data)

    def all(self, *tags, below="html"):
        """The elements with one of these tags somewhere below another: attributes and text."""
        return [(a, t) for path, a, t in self.elements if path.split("/")[-1] in tags and below in path.split("/")[:-1]]

    def texts(self, *tags, below="html"):
        """The texts of the elements with one of these tags."""
        return [text for _, text in self.all(*tags, below=below)]


@pytest.fixture
def pages(load):
    """The workflow's module that makes pages."""
    return load("markdown_to_html", "pages")


def order(app, **changes):
    """An order for a page of a text, with changes."""
    return app.Order.of({"bucket": "b", "text": "# T", "region": "us-east-1", **changes})


def blocks(document):
    """A document's fenced code, and its other lines."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    return [*zip(parts[1::3], parts[2::3], strict=True)], "".join(parts[0::3])


def plain(text):
    """A line's text without its marks for code, links and emphasis."""
    return re.sub(r"`|\*\*?|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", text).strip()


@pytest.mark.parametrize("document", [GUIDE, README], ids=["guide", "readme"])
def test_page_when_given_a_sample_then_has_its_headings_and_their_table_of_contents(pages, document):
    """All of them, at their levels; each link of the contents leads to the heading of that name."""
    page = Read(pages.page_of(document).html)
    _, prose = blocks(document)
    wanted = [(f"h{len(marks)}", text) for marks, text in re.findall(r"^(#+) (.*)$", prose, re.MULTILINE)]
    found = [(path.split("/")[-1], text) for path, _, text in page.elements if path.split("/")[-1] in HEADINGS]
    assert found == [(level, plain(text)) for level, text in wanted]
    anchors = [(f"#{attributes['id']}", text) for attributes, text in page.all(*HEADINGS)]
    assert [(attributes["href"], text) for attributes, text in page.all("a", below="nav")] == anchors
    assert len(set(anchors)) == len(wanted) > 5


@pytest.mark.parametrize("document", [GUIDE, README], ids=["guide", "readme"])
def test_page_when_given_a_sample_then_has_the_cells_of_its_tables(pages, document):
    """Cell by cell; the row below the head says how a table is aligned and is not shown."""
    page = Read(pages.page_of(document).html)
    _, prose = blocks(document)
    rows = [re.split(r"(?<!\\)\|", row)[1:-1] for row in re.findall(r"^\|.*\|$", prose, re.MULTILINE)]
    cells = [plain(cell).replace("\\|", "|") for row in rows for cell in row if not re.fullmatch(r" *:?-+:? *", cell)]
    assert page.texts("th", "td") == cells
    assert len(cells) >= 16


@pytest.mark.parametrize("document", [GUIDE, README], ids=["guide", "readme"])
def test_page_when_given_a_sample_then_has_its_code_unchanged(pages, document):
    """Character by character, with the name of its language."""
    page = Read(pages.page_of(document).html)
    fenced, _ = blocks(document)
    found = [(attributes["class"], text) for attributes, text in page.all("code", below="pre") if attributes]
    assert found == [(f"language-{language}", code) for language, code in fenced]
    assert fenced


@pytest.mark.parametrize(("document", "others"), [(GUIDE, 2), (README, 0)], ids=["guide", "readme"])
def test_page_when_given_a_sample_then_has_its_links(pages, document, others):
    """Those in the line, in their order and with their texts, and besides only those that are written otherwise."""
    page = Read(pages.page_of(document).html)
    _, prose = blocks(document)
    wanted = [(target, plain(text)) for text, target in re.findall(r"\[([^\]]+)\]\(([^\s)]+)[^)]*\)", prose)]
    found = [(attributes["href"], text) for attributes, text in page.all("a", below="main")]
    assert [link for link in found if link in wanted] == wanted
    assert len(found) - len(wanted) == others
    assert len(wanted) >= 3


def test_page_when_given_the_guide_then_has_its_other_links_lists_and_quotation(pages):
    """A link by reference with its title, a bare address, both kinds of list."""
    page = Read(pages.page_of(GUIDE).html)
    assert ({"href": "https://example.org/compost", "title": "How to compost"}, "elsewhere") in page.all("a")
    address = "https://example.org/balcony?plant=basil&pot=5"
    assert ({"href": address}, address) in page.all("a")
    assert page.texts("li", below="ol")[0] == "Put a finger two centimetres into it."
    assert page.texts("p", below="blockquote") == [
        "Too much water does more harm than too little.",
        "-- every gardener",
    ]
    assert page.texts("em", "strong", below="main") == ["three pots", "place", "gram"]


def test_page_when_two_headings_are_the_same_then_their_anchors_differ(pages):
    """So that each link leads to its own heading."""
    page = Read(pages.page_of("# Same\n\n# Same\n").html)
    assert [attributes["id"] for attributes, _ in page.all("h1")] == ["same", "same_1"]


def test_page_when_made_then_is_a_whole_document(pages):
    """One head with one title and the encoding, one main part; the contents come before it."""
    page = Read(pages.page_of(GUIDE).html)
    assert page.declarations == ["DOCTYPE html"]
    outer = ["html/head", "html/body/nav", "html/body/main", "html/body", "html"]
    assert [path for path, _, _ in page.elements if path in outer] == outer
    assert page.all("meta", below="head")[0][0] == {"charset": "utf-8"}
    assert len(page.texts("title", below="head")) == len(page.texts("main", below="body")) == 1


@pytest.mark.parametrize(
    ("document", "given", "title"),
    [
        (GUIDE, None, 'Tomatoes & "friends": < 1 m² is enough'),
        ("## Second\n\n# `First` *of* all &amp; more\n\n# Third", None, "First of all & more"),
        ("### Only\n\n#### Below", None, "Only"),
        ("no heading", None, "Untitled"),
        ("# Heading", "</title><script>alert('&amp;')</script>", "</title><script>alert('&amp;')</script>"),
    ],
)
def test_page_when_its_title_has_marks_of_html_then_shows_them_as_text(pages, document, given, title):
    """Whether it is given or found in the document."""
    page = pages.page_of(document, given)
    read = Read(page.html)
    assert page.title == title
    assert read.texts("title") == [title]
    assert not read.all("script")


def test_page_when_there_is_no_heading_then_has_no_table_of_contents(pages):
    """An empty one would be of no use."""
    page = pages.page_of("just a line with {braces} & a < sign")
    assert page.headings == 0
    assert not Read(page.html).all("nav")
    assert Read(page.html).texts("p") == ["just a line with {braces} & a < sign"]


def test_page_when_made_twice_then_is_the_same(pages):
    """Nothing is kept from one document to the next, and a second attempt changes nothing."""
    first = pages.page_of(GUIDE)
    pages.page_of(README)
    assert pages.page_of(GUIDE) == first


def test_order_when_a_title_is_given_then_has_it(app):
    """What is null is as if it were not there."""
    assert order(app, key=None, title="T") == app.Order("b", "us-east-1", "# T", None, "T")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "either text, a document, or key, .* not none"),
        ({"key": "input/k.md"}, "either text, a document, or key, .* not both"),
        ({"text": ""}, "text must be a text that is not empty"),
        ({"text": ["# T"]}, "text must be"),
        ({"text": None, "key": ""}, "key must be"),
        ({"title": 1}, "title must be"),
    ],
)
def test_order_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong order fails before anything was read."""
    with pytest.raises(ValueError, match=message):
        order(app, **changes)


class Stored:
    """S3 with one object."""

    def __init__(self, content):
        self.content = content

    def get_object(self, Bucket, Key):  # noqa: N803 - boto3's names
        """The object, whatever its name."""
        return {"Body": self, "Bucket": Bucket, "Key": Key}

    def read(self):
        """Its bytes."""
        return self.content


def test_document_when_it_has_a_byte_order_mark_then_is_without(app):
    """Some editors write one, and the first heading would not be a heading behind it."""
    assert app.document_of(order(app, text=None, key="input/k.md"), Stored(b"\xef\xbb\xbf# \xc3\x84")) == "# Ä"


def test_document_when_it_is_not_utf_8_then_names_the_key(app):
    """A page of wrong letters would be no help."""
    with pytest.raises(ValueError, match=r"input/k\.md must be a text in UTF-8"):
        app.document_of(order(app, text=None, key="input/k.md"), Stored(b"\xff"))


def test_graph_when_derived_then_is_one_function():
    """The entry point is all there is."""
    graph = derive_graph(FOLDER)
    assert [(node.function, node.sync) for node in graph.nodes] == [("convert", False)]
    assert graph.entry.function == "convert"
    assert not graph.edges


def test_samples_when_the_text_is_in_the_payload_then_is_the_guide(filled):
    """The same document twice: to be read here, and to be sent."""
    assert filled("markdown_to_html", "input.json")["text"] == GUIDE


@pytest.mark.local_cloud
@pytest.mark.parametrize(("sample", "document"), [("input.json", GUIDE), ("input_large.json", README)])
def test_run_when_played_twice_then_writes_the_same_page(play, pages, sample, document):
    """The whole workflow: what it leaves in S3 is the document's page, whether it came along or was in S3."""
    first, second = (play("markdown_to_html", sample=sample) for _ in range(2))
    assert first.outputs == second.outputs == {"page.html": pages.page_of(document).html.encode()}
    assert first.run_id != second.run_id
