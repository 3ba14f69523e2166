"""Figures for people: digits, units by size, per cent, intervals."""

import pytest

from caribou.model.metric import Metric
from caribou.report.units import amount, amounts, change, number, per_cent, span


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (28.214, "28.2"),
        (1094.0, "1,090"),
        (3.7e-6, "0.0000037"),
        (0.0, "0"),
        (-0.0, "0"),
        (-12.34, "-12.3"),
    ],
)
def test_number_when_it_is_shown_then_has_three_digits_and_no_exponent(value, shown):
    """Nobody reads 3.7e-06 for a price."""
    assert number(value) == shown


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        (Metric.CARBON, 0.0012, "1.2 mg"),
        (Metric.CARBON, 0.1, "0.1 g"),
        (Metric.CARBON, 310.0, "310 g"),
        (Metric.COST, 5e-6, "5 USD per million runs"),
        (Metric.RUNTIME, 0.0418, "0.0418 s"),
    ],
)
def test_amount_when_it_is_of_a_metric_then_is_in_its_unit_for_people(metric, value, shown):
    """Milligrams or grams by size, money per million runs, seconds."""
    assert amount(metric, value) == shown


def test_amounts_when_they_are_compared_then_are_in_one_unit():
    """The largest one decides."""
    assert amounts(Metric.CARBON, (0.05, 0.2)) == ["0.05 g", "0.2 g"]


def test_change_when_home_has_nothing_then_there_is_none():
    """Else it has a sign, and never -0.0%."""
    assert (change(1.0, 0.0), change(1.0, 2.0), change(2.0, 2.0)) == ("-", "-50.0%", "+0.0%")
    assert per_cent(-0.0001) == "+0.0%"


def test_span_when_its_upper_end_is_not_known_then_says_so():
    """As of a tail beyond what any run shows."""
    assert span(1.5, None, number) == "1.5 to ?"
