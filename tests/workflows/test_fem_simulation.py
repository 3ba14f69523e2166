"""fem_simulation: its mesh, its equations and their solution, its tasks, its graph and its runs."""

import io
import itertools
import json
import math
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.polynomial import polynomial as polynomials

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "fem_simulation"
SAMPLES = FOLDER / "samples"
PROBLEMS = {name: json.loads((SAMPLES / f"{name}.json").read_text()) for name in ("smooth", "linear")}
AREA = {"square": 1.0, "l_shape": 0.75}
OUTLINES = {
    "square": [(0, 0), (1, 0), (1, 1), (0, 1)],
    "l_shape": [(0, 0), (1, 0), (1, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)],
}
"""The corners of each domain, counter-clockwise."""


@pytest.fixture
def layout(load):
    """The workflow's module of counts."""
    return load("fem_simulation", "layout")


@pytest.fixture
def mesh(load):
    """The workflow's module of meshes."""
    return load("fem_simulation", "mesh")


@pytest.fixture
def fem(load):
    """The workflow's module of finite elements."""
    return load("fem_simulation", "fem")


@pytest.fixture
def arrays(load):
    """The workflow's module of files."""
    return load("fem_simulation", "arrays")


@pytest.fixture
def poisson(load):
    """The workflow's module of problems."""
    return load("fem_simulation", "poisson")


def coefficients(terms):
    """The terms of a polynomial as numpy's matrix of coefficients."""
    matrix = np.zeros((9, 9))
    for i, j, coefficient in terms:
        matrix[i, j] = coefficient
    return matrix


def at(terms, x, y):
    """A polynomial at points, by numpy."""
    return polynomials.polyval2d(x, y, coefficients(terms))


def outflow(problem):
    """The integral of -k du/dn over the boundary, by Gauss' quadrature: what the source gives in all."""
    u = coefficients(problem["solution"])
    slopes = [polynomials.polyder(u, axis=axis) for axis in (0, 1)]
    points, weights = np.polynomial.legendre.leggauss(12)
    total, outline = 0.0, OUTLINES[problem["domain"]]
    for (ax, ay), (bx, by) in zip(outline, [*outline[1:], outline[0]], strict=True):
        x, y = ax + (bx - ax) * (points + 1) / 2, ay + (by - ay) * (points + 1) / 2
        du_dx, du_dy = (polynomials.polyval2d(x, y, slope) for slope in slopes)
        along_normal = du_dx * (by - ay) - du_dy * (bx - ax)
        total -= float(np.sum(weights / 2 * at(problem["conductivity"], x, y) * along_normal))
    return total


def solved(fem, layout, problem, cells, parts=1):
    """The mesh's layout, and the solution, of a problem on it."""
    laid_out = layout.Layout(problem.domain, cells)
    contributions = [fem.assembled(laid_out, problem, rows) for rows in laid_out.cut(parts)]
    return laid_out, fem.solved(laid_out, problem, contributions)


def inner_matrix(fem, mesh, laid_out, problem):
    """K, dense, and F; and which nodes are not on the boundary."""
    matrix, load = fem.summed(laid_out, [fem.assembled(laid_out, problem, range(laid_out.cells))])
    return matrix.toarray(), load, ~mesh.nodes_of(laid_out).on_boundary


@pytest.mark.parametrize("domain", AREA)
@pytest.mark.parametrize("cells", [8, 14])
def test_mesh_when_made_then_it_covers_the_domain_without_gaps_or_overlaps(layout, mesh, domain, cells):
    """Areas are positive and sum to the domain's; an inner edge has two elements, an edge of the outline one."""
    laid_out = layout.Layout(domain, cells)
    nodes, triangles = mesh.nodes_of(laid_out), mesh.triangles_in(laid_out, range(cells))
    assert (len(nodes.x), len(triangles)) == (laid_out.nodes, laid_out.elements)
    (ax, bx, cx), (ay, by, cy) = nodes.x[triangles].T, nodes.y[triangles].T
    areas = ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / 2
    assert areas.min() > 0.1 / cells**2
    assert areas.sum() == pytest.approx(AREA[domain], rel=1e-12)
    sides = [tuple(sorted((int(a), int(b)))) for t in triangles for a, b in zip(t, np.roll(t, -1), strict=True)]
    shared = Counter(sides)
    outline = {side for side, count in shared.items() if count == 1}
    assert set(shared.values()) == {1, 2}
    assert {node for side in outline for node in side} == set(np.flatnonzero(nodes.on_boundary))
    assert len(outline) == 4 * cells  # both outlines are 4 long
    assert laid_out.nodes - len(shared) + laid_out.elements == 1  # Euler


@pytest.mark.parametrize("domain", AREA)
@pytest.mark.parametrize("cells", [8, 100, 600])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_cut_when_asked_for_parts_then_each_has_its_share_of_the_elements(layout, domain, cells, parts):
    """All rows, in order, none twice; no part is more than two rows off its share."""
    laid_out = layout.Layout(domain, cells)
    cuts = laid_out.cut(parts)
    assert [row for part in cuts for row in part] == list(range(cells))
    share = laid_out.elements / parts
    assert len(cuts) == parts
    assert all(abs(laid_out.elements_in(part) - share) < 2 * 2 * cells for part in cuts)
    assert all(cuts)


@pytest.mark.parametrize("name", PROBLEMS)
def test_polynomial_when_evaluated_then_it_is_what_numpy_says(poisson, name):
    """Values and derivatives, at points and at a single one."""
    terms = PROBLEMS[name]["solution"]
    x, y = np.random.default_rng(5).random((2, 20))
    u = poisson.Polynomial.of(terms, "solution")
    assert u.at(x, y) == pytest.approx(at(terms, x, y))
    assert u.at(0.25, 0.5) == pytest.approx(float(at(terms, 0.25, 0.5)))
    for part, axis in ((u.dx(), 0), (u.dy(), 1)):
        assert part.at(x, y) == pytest.approx(
            polynomials.polyval2d(x, y, polynomials.polyder(coefficients(terms), axis=axis))
        )
    assert (u * u).at(x, y) == pytest.approx(at(terms, x, y) ** 2)
    assert poisson.Polynomial.of(json.loads(json.dumps(u.to_json())), "solution") == u


@pytest.mark.parametrize("name", PROBLEMS)
def test_matrix_when_assembled_then_it_is_what_a_loop_over_the_elements_gives(fem, mesh, layout, poisson, name):
    """Element by element, with gradients out of a system of equations, and products of Gauss' points for quadrature."""
    given = PROBLEMS[name]
    problem = poisson.Problem.of(given)
    laid_out = layout.Layout(problem.domain, 8)
    nodes = mesh.nodes_of(laid_out)
    expected = np.zeros((laid_out.nodes, laid_out.nodes))
    points, weights = np.polynomial.legendre.leggauss(4)
    points, weights = (points + 1) / 2, weights / 2
    for triangle in mesh.triangles_in(laid_out, range(8)):
        corners = np.stack([np.ones(3), nodes.x[triangle], nodes.y[triangle]], axis=1)
        gradients = np.linalg.inv(corners)[1:]
        area = np.linalg.det(corners) / 2
        integral = 0.0
        for (s, ws), (t, wt) in itertools.product(zip(points, weights, strict=True), repeat=2):
            _, x, y = np.array([1 - s, s * (1 - t), s * t]) @ corners
            integral += 2 * area * s * ws * wt * float(at(given["conductivity"], x, y))
        expected[np.ix_(triangle, triangle)] += integral * gradients.T @ gradients
    assert inner_matrix(fem, mesh, laid_out, problem)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_matrix_when_assembled_then_inside_it_is_symmetric_and_positive_definite(fem, mesh, layout, poisson, name):
    """With the boundary it is semidefinite: constants are its null space, and nothing else is."""
    problem = poisson.Problem.of(PROBLEMS[name])
    matrix, _, inner = inner_matrix(fem, mesh, layout.Layout(problem.domain, 10), problem)
    assert np.array_equal(matrix, matrix.T)
    assert matrix @ np.ones(len(matrix)) == pytest.approx(0, abs=1e-12)
    values = np.linalg.eigvalsh(matrix)
    assert abs(values[0]) < 1e-12
    assert values[1] > 1e-3
    assert np.linalg.eigvalsh(matrix[np.ix_(inner, inner)])[0] > 0.01


@pytest.mark.parametrize("name", PROBLEMS)
def test_load_when_summed_then_is_what_flows_out_through_the_boundary(fem, mesh, layout, poisson, name):
    """The divergence theorem, with nothing of the code under test on its other side."""
    problem = poisson.Problem.of(PROBLEMS[name])
    laid_out, solution = solved(fem, layout, problem, 32)
    _, load, _ = inner_matrix(fem, mesh, laid_out, problem)
    assert load.sum() == pytest.approx(outflow(PROBLEMS[name]), abs=1e-8)
    assert solution.facts["total_load"] == pytest.approx(load.sum())


@pytest.mark.parametrize("domain", AREA)
def test_solution_when_the_known_one_is_linear_then_is_it_to_round_off(fem, mesh, layout, poisson, domain):
    """The patch test, with a conductivity that varies and a mesh on which no two elements are alike."""
    problem = poisson.Problem.of(PROBLEMS["linear"] | {"domain": domain})
    laid_out, solution = solved(fem, layout, problem, 24, parts=3)
    nodes = mesh.nodes_of(laid_out)
    assert np.abs(solution.values - (1 + 2 * nodes.x - 3 * nodes.y)).max() < 1e-13
    assert fem.errors_of(laid_out, problem, solution.values)["energy_error"] < 1e-12


@pytest.mark.parametrize("domain", AREA)
def test_error_when_the_mesh_is_refined_then_falls_with_the_second_power_of_its_width(
    fem, mesh, layout, poisson, domain
):
    """So it is in the L2 norm, and at the nodes as the test itself evaluates it; in the energy norm with the first."""
    given = PROBLEMS["smooth"] | {"domain": domain}
    problem = poisson.Problem.of(given)
    found = []
    for cells in (32, 64, 128):
        laid_out, solution = solved(fem, layout, problem, cells)
        nodes = mesh.nodes_of(laid_out)
        off = solution.values - at(given["solution"], nodes.x, nodes.y)
        at_nodes = math.sqrt(np.mean(off**2))
        errors = fem.errors_of(laid_out, problem, solution.values)
        found.append((errors["l2_error"], at_nodes, errors["energy_error"]))
    rates = np.log2(np.array(found[:-1]) / np.array(found[1:]))
    assert rates[:, 0] == pytest.approx(2, abs=0.03)
    assert rates[:, 1] == pytest.approx(2, abs=0.2)
    assert rates[:, 2] == pytest.approx(1, abs=0.05)


def test_energy_when_the_boundary_is_kept_then_the_solution_has_the_least(fem, mesh, layout, poisson):
    """Dirichlet's principle: any other values inside have more of energy less work."""
    problem = poisson.Problem.of(PROBLEMS["smooth"])
    laid_out, solution = solved(fem, layout, problem, 12)
    matrix, load, inner = inner_matrix(fem, mesh, laid_out, problem)

    def energy(values):
        return values @ matrix @ values / 2 - load @ values

    least, chance = energy(solution.values), np.random.default_rng(3)
    assert solution.facts["energy"] == pytest.approx(solution.values @ matrix @ solution.values / 2)
    assert all(energy(solution.values + inner * 0.01 * chance.normal(size=len(inner))) > least for _ in range(20))


def test_errors_when_the_values_are_off_by_a_constant_then_are_that_in_the_l2_norm(fem, mesh, layout, poisson):
    """0.5 all over an area of 0.75 is 0.5 times its root, and costs no energy."""
    problem = poisson.Problem.of(PROBLEMS["linear"] | {"domain": "l_shape"})
    laid_out = layout.Layout("l_shape", 10)
    nodes = mesh.nodes_of(laid_out)
    errors = fem.errors_of(laid_out, problem, 1.5 + 2 * nodes.x - 3 * nodes.y)
    assert errors["l2_error"] == pytest.approx(0.5 * math.sqrt(0.75))
    assert errors["energy_error"] == pytest.approx(0, abs=1e-12)
    assert errors["largest_error"] == pytest.approx(0.5)


@pytest.mark.parametrize("domain", AREA)
def test_solution_when_the_mesh_is_cut_otherwise_then_is_the_same_to_the_last_bit(fem, layout, poisson, domain):
    """Any number of parts, in any order."""
    problem = poisson.Problem.of(PROBLEMS["smooth"] | {"domain": domain})
    laid_out, whole = solved(fem, layout, problem, 50)
    for parts in (2, 3, 4):
        pieces = [fem.assembled(laid_out, problem, rows) for rows in laid_out.cut(parts)]
        assert fem.solved(laid_out, problem, pieces[::-1]).values.tobytes() == whole.values.tobytes()


def test_contribution_when_packed_then_is_always_the_same_bytes_and_comes_back(fem, arrays, layout, poisson):
    """Nothing of the time of writing is in the archive."""
    problem = poisson.Problem.of(PROBLEMS["smooth"])
    one = fem.assembled(layout.Layout("l_shape", 20), problem, range(5, 9))
    data = arrays.packed(one)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {member.date_time[:3] for member in archive.infolist()} == {(1980, 1, 1)}
    back = arrays.unpacked(data)
    assert arrays.packed(back) == data
    assert back.first_node == one.first_node
    assert np.array_equal(back.matrix.toarray(), one.matrix.toarray())
    assert np.array_equal(back.load, one.load)


def test_sampled_when_given_a_stride_then_keeps_some_lines_of_nodes_with_the_corners(mesh, layout):
    """Each row is x, y and the value there."""
    laid_out = layout.Layout("l_shape", 12)
    nodes = mesh.nodes_of(laid_out)
    rows = mesh.sampled(laid_out, nodes.x + 10 * nodes.y, 3)
    assert rows.shape == (3 * 5 + 2 * 3, 3)
    assert np.array_equal(rows[:, 2], rows[:, 0] + 10 * rows[:, 1])
    assert {(x, y) for x, y, _ in rows} >= set(OUTLINES["l_shape"])


def test_assembled_when_the_conductivity_is_not_positive_then_says_so(fem, layout, poisson):
    """Such a problem has no solution, or many."""
    problem = poisson.Problem.of({**PROBLEMS["smooth"], "conductivity": [[0, 0, 1.0], [1, 0, -1.5]]})
    with pytest.raises(ValueError, match="conductivity must be positive"):
        fem.assembled(layout.Layout("l_shape", 10), problem, range(4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domain": "disc"}, "domain must be one of square, l_shape"),
        ({"conductivity": None}, "conductivity must be a list"),
        ({"conductivity": []}, "conductivity must be a list"),
        ({"solution": [[0, 0]]}, "solution must be a list"),
        ({"solution": [[0, 9, 1.0]]}, "solution must be a list"),
        ({"solution": [[0, -1, 1.0]]}, "solution must be a list"),
        ({"solution": [[0, 1.0, 1.0]]}, "solution must be a list"),
        ({"solution": [[0, 0, math.nan]]}, "solution must be a list"),
        ({"solution": [[0, 0, True]]}, "solution must be a list"),
        ({"solution": [[0, 1, 1.0], [0, 1, 2.0]]}, "each pair of powers once"),
    ],
)
def test_problem_when_a_value_is_wrong_then_names_it(poisson, change, message):
    """What is expected, and what was found."""
    with pytest.raises(ValueError, match=message):
        poisson.Problem.of(PROBLEMS["smooth"] | change)


def test_problem_when_it_is_no_object_then_says_so(poisson):
    """A file of something else."""
    with pytest.raises(ValueError, match="a problem must be an object"):
        poisson.Problem.of([1, 2])


def task(app, **changes):
    """A task, with changes."""
    return app.Task.of({"bucket": "b", "key": "input/k.json", "region": "us-east-1", **changes})


def test_task_when_sent_to_a_function_then_arrives_unchanged(app, poisson):
    """Tasks and problems travel as JSON; calls that are not made get nothing."""
    sent, problem = task(app, parts=3, cells=24, via="bucket"), poisson.Problem.of(PROBLEMS["smooth"])
    *payloads, last = json.loads(json.dumps(app.part_payloads(sent, problem)))
    assert last is None
    assert [payload["part"] for payload in payloads] == [0, 1, 2]
    assert all(app.Task.of(payload["task"]) == sent for payload in payloads)
    assert all(poisson.Problem.of(payload["problem"]) == problem for payload in payloads)
    assert [row for payload in payloads for row in range(*payload["rows"])] == list(range(24))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": 6}, "cells must be a whole number from 8 to 800"),
        ({"cells": 802}, "cells must be a whole number"),
        ({"cells": 40.0}, "cells must be a whole number"),
        ({"cells": 45, "stride": 5}, "cells must be even"),
        ({"cells": 50, "stride": 4}, "a multiple of stride"),
        ({"stride": 0}, "stride must be"),
        ({"parts": 0}, "parts must be a whole number from 1 to 4"),
        ({"parts": 5}, "parts must be"),
        ({"parts": True}, "parts must be"),
        ({"via": "pigeon"}, "via must be one of payload, bucket"),
        ({"verify": "no"}, "verify must be"),
    ],
)
def test_task_when_a_value_is_wrong_then_names_it(app, changes, message):
    """A wrong task fails at the entry, before anything was sent."""
    with pytest.raises(ValueError, match=message):
        task(app, **changes)


def test_graph_when_derived_then_four_assemblies_meet_before_one_solution():
    """One call of `assemble` is always made, the others as there are parts; `verify` runs if asked for."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    assert function[graph.entry.name] == "generate_mesh"
    edges = [(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges]
    assert edges == [
        ("generate_mesh", "assemble", False),
        *[("generate_mesh", "assemble", True)] * 3,
        *[("assemble", "solve", False)] * 4,
        ("solve", "verify", True),
    ]
    assert [node.function for node in graph.nodes if node.sync] == ["solve"]


@pytest.mark.local_cloud
def test_run_when_its_data_travel_otherwise_then_leaves_the_same_bytes(play):
    """The whole workflow: four parts in payloads, or three in the bucket, are one and the same result."""
    asked = {
        "bucket": "caribou-dev-fem-555500005555-us-east-1",
        "key": "input/smooth.json",
        "region": "us-east-1",
        "cells": 48,
        "stride": 4,
    }
    first = play("fem_simulation", {**asked, "parts": 4, "via": "payload"})
    second = play("fem_simulation", {**asked, "parts": 3, "via": "bucket"})
    assert first.outputs == second.outputs
    summary, errors = (json.loads(first.outputs[name]) for name in ("summary.json", "errors.json"))
    assert summary["nodes"] == 49 * 25 + 25 * 24
    assert summary["total_load"] == pytest.approx(outflow(PROBLEMS["smooth"]))
    assert summary["residual"] < 1e-13
    x, y, values = np.load(io.BytesIO(first.outputs["solution.npy"])).T
    assert len(values) == 13 * 7 + 7 * 6
    off = np.abs(values - at(PROBLEMS["smooth"]["solution"], x, y)).max()
    assert off <= errors["largest_error"] < 1e-3


@pytest.mark.local_cloud
def test_run_when_given_the_patch_sample_then_finds_the_linear_solution(play):
    """Through the bucket, in two parts, every node is kept."""
    outputs = play("fem_simulation", sample="input_patch.json").outputs
    x, y, values = np.load(io.BytesIO(outputs["solution.npy"])).T
    assert len(values) == 41 * 41
    assert values == pytest.approx(1 + 2 * x - 3 * y, abs=1e-13)
    assert json.loads(outputs["errors.json"])["largest_error"] < 1e-13


@pytest.mark.local_cloud
def test_run_when_not_asked_to_verify_then_leaves_no_errors(play):
    """The conditional edge is skipped, and nothing is sent for it."""
    asked = {"bucket": "caribou-dev-fem-555500005555-us-east-1", "key": "input/smooth.json", "cells": 8}
    played = play("fem_simulation", {**asked, "parts": 1, "verify": False})
    assert set(played.outputs) == {"solution.npy", "summary.json"}
    assert len(played.result.nodes) == 3
