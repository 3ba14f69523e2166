"""The frontier as a table and as a picture."""

import io
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from caribou.cli.console import Terminal
from caribou.model.schema.problem_file import parse_problem
from caribou.report.frontier_picture import frontier_picture
from caribou.report.frontier_table import frontier_table
from caribou.report.labels import LETTER
from caribou.report.png import png, why_no_png
from caribou.solver.analysis.frontier import NO_LIMITS, Amounts, Frontier, Point

SVG = "{http://www.w3.org/2000/svg}"
OPTIMAL = {"status": "optimal", "objective": 0.004, "bound": 0.004, "gap": 0.0}
HOME = Amounts(0.01, 2e-4, 10.0)


@pytest.fixture
def problem(instances):
    """The chain, under a name that XML has to escape."""
    data = instances.chain()
    data["workflow"]["name"] = "chain <&> co"
    return parse_problem(data)


def point(carbon_g, cost_usd, runtime_tail_s, **fields):
    """A point with both nodes in the west."""
    regions = {"a": "us-west-2", "b": "us-west-2"}
    fields = {"certificate": OPTIMAL, **fields}
    return Point(regions, Amounts(carbon_g, cost_usd, runtime_tail_s), NO_LIMITS, **fields)


def drawn(frontier):
    """The picture as an XML tree, and all its texts."""
    tree = ET.fromstring(frontier_picture(frontier))
    return tree, [element.text for element in tree.iter(f"{SVG}text")]


def three(problem, **limits):
    """Three points: one chosen, one with a gap and outside the limits."""
    feasible = {"status": "feasible", "objective": 0.004, "bound": 0.0038, "gap": 0.05}
    points = (
        point(0.004, 2.4e-4, 11.0, certificate=feasible),
        point(0.005, 2.2e-4, 10.5, within_limits=True, chosen=True),
        point(0.006, 1.9e-4, 10.5, within_limits=True),
    )
    return Frontier(problem, HOME, points, limits, 9)


def test_picture_when_drawn_then_is_xml_with_a_dot_and_a_number_for_each_point(problem):
    """Dots are coloured by cost, numbered as in the table below; what is within the limits has a ring."""
    tree, texts = drawn(three(problem))
    dots = [one for one in tree.iter(f"{SVG}circle") if one.get("r") == "7" and one.get("stroke")]
    rings = [one for one in tree.iter(f"{SVG}circle") if one.get("fill") == "none"]
    assert (len(dots), len(rings)) == (3, 2)
    assert len({dot.get("fill") for dot in dots}) == 3
    assert {"1", "2 (chosen)", "3", "all at home", "gap 5.0%", "-60.0%", "+20.0%", "2 in us-west-2"} <= set(texts)
    assert "chain <&> co: carbon, cost and tail latency" in texts


def test_picture_when_drawn_then_everything_lies_on_the_page(problem):
    """No text and no dot is outside of what is shown."""
    tree, _ = drawn(three(problem))
    for element in (*tree.iter(f"{SVG}text"), *tree.iter(f"{SVG}circle")):
        x, y = (float(element.get(name) or element.get(f"c{name}")) for name in ("x", "y"))
        assert 0 <= x <= float(tree.get("width"))
        assert 0 <= y <= float(tree.get("height"))


def test_picture_when_points_fall_together_then_their_numbers_do_not(problem):
    """Labels move aside."""
    points = tuple(point(0.005 + i * 1e-6, 2e-4, 10.5) for i in range(6))
    tree, _ = drawn(Frontier(problem, HOME, points, {}, 9))
    labels = [one for one in tree.iter(f"{SVG}text") if one.get("paint-order")]
    assert len(labels) == 7
    boxes = [(float(one.get("x")), float(one.get("y")), LETTER * len(one.text) / 2) for one in labels]
    for (x, y, half), (other_x, other_y, other_half) in combinations(boxes, 2):
        assert abs(x - other_x) >= half + other_half or abs(y - other_y) >= 13


@pytest.mark.parametrize(("limit", "shown"), [(10.8, True), (99.0, False)])
def test_picture_when_the_own_limit_is_in_sight_then_is_drawn(problem, limit, shown):
    """A limit far away would squeeze the points."""
    _, texts = drawn(three(problem, runtime=limit))
    assert (f"your limit, {limit:g} s" in texts) is shown


def test_picture_when_there_is_one_point_or_all_is_free_then_is_drawn_all_the_same(problem):
    """No division by nothing."""
    free = Amounts(0.01, 0.0, 10.0)
    _, texts = drawn(Frontier(problem, free, (point(0.01, 0.0, 10.0),), {}, 1))
    assert "-" in texts


def test_table_when_shown_then_has_changes_limits_and_certificates(problem):
    """A row a point, the chosen one with a star."""
    console = Terminal(width=120, file=io.StringIO())
    console.print(frontier_table(three(problem)))
    text = console.file.getvalue()
    for part in ("2 *", "-60.0%", "+20.0%", "+10.0%", "gap 5.0%", "optimal", "time p95", "2 in us-west-2"):
        assert part in text


def test_table_when_a_robust_plan_was_chosen_then_it_says_why_another_may_have_less_carbon(instances):
    """The frontier is of the problem's own assumptions, the robust plan of the worst ones."""
    data = instances.chain()
    data["objective"]["robust"] = True
    assert "best in its worst corner" in frontier_table(three(parse_problem(data))).caption


def test_picture_when_an_axis_does_not_begin_at_0_then_it_says_so_and_names_its_unit(problem):
    """Carbon in grams where it is large; ticks with as many decimals, and no fewer than three."""
    points = (point(0.5, 2e-4, 0.002), point(0.52, 1e-4, 0.001))
    _, texts = drawn(Frontier(problem, Amounts(0.6, 2e-4, 0.0015), points, {}, 9))
    assert "run time, s, 95th percentile (from 0.00092, not 0)" in texts
    assert "operational carbon, g CO2eq, mean (from 0.492, not 0)" in texts
    assert {"0.0010", "0.0015", "0.0020"} <= set(texts)
    _, texts = drawn(Frontier(problem, Amounts(0.006, 2e-4, 11), (point(0.0001, 1e-4, 0.5),), {}, 9))
    assert "run time, s, 95th percentile" in texts


def test_png_when_a_picture_is_drawn_then_it_has_its_dots_and_words(problem):
    """Twice as sharp as the SVG; without a word it would be another picture."""
    assert not why_no_png()
    svg = frontier_picture(three(problem))
    drawn_bytes = png(svg)
    assert drawn_bytes.startswith(b"\x89PNG")
    width, height = (int.from_bytes(drawn_bytes[at : at + 4]) for at in (16, 20))
    assert (width, height) == (2 * 960, 2 * int(ET.fromstring(svg).get("height")))
    assert png(svg.replace("all at home", "")) != drawn_bytes
