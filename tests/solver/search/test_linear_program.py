"""Linear programs, small enough to solve by hand."""

import numpy as np
import pytest

from caribou.solver.search.linear_program import LinearProgram, Row


@pytest.fixture
def program():
    """Minimise x + 2 y + 0.5 with x + y = 1, both between 0 and 1; 3 x + 4 y is the second row, open at first."""
    made = LinearProgram()
    columns = made.add_columns(np.zeros(2), np.ones(2))
    made.add_rows([Row.of(1.0, 1.0, (columns, 1.0)), Row.of(-np.inf, np.inf, (columns, np.array([3.0, 4.0])))])
    made.set_costs(np.array([1.0, 2.0]), 0.5)
    return made


def test_bound_when_solved_then_is_the_optimum(program):
    """The bound that the multipliers give, and the values."""
    relaxed = program.solve()
    assert relaxed.bound == pytest.approx(1.5)
    assert relaxed.values == pytest.approx([1, 0])


def test_reduced_costs_when_a_column_is_forced_then_say_how_the_bound_grows(program):
    """A unit of y costs one more than a unit of x, which it takes the place of."""
    relaxed = program.solve()
    program.set_upper(np.array([0]), np.array([0.0]))
    assert relaxed.bound + relaxed.reduced[1] == pytest.approx(program.solve().bound)


def test_program_when_nothing_meets_the_rows_then_has_no_optimum_until_they_are_opened(program):
    """3 x + 4 y is 3 at least."""
    program.set_row_upper([1], 2.5)
    assert program.solve() is None
    program.set_row_upper([1], np.inf)
    assert program.solve().bound == pytest.approx(1.5)


def test_row_when_columns_come_twice_or_are_none_then_are_added_up_or_left_out():
    """-1 is no column; factors of the same column are added."""
    row = Row.of(0.0, 1.0, (np.array([3, -1, 1]), np.array([2.0, 9.0, 1.0])), (np.array([3]), 0.5))
    assert row.columns.tolist() == [1, 3]
    assert row.values.tolist() == [1.0, 2.5]


def test_program_when_solved_then_prints_nothing(program, capfd):
    """What a command prints is its answer."""
    program.solve()
    assert not "".join(capfd.readouterr())


def test_bound_when_it_is_enough_then_is_true_still(program):
    """The method may end before the optimum, which the bound is never above."""
    assert program.solve(1.2).bound <= 1.5 + 1e-9
