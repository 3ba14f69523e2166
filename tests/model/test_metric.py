"""The metrics of a run, and the names of limits on them."""

import pytest

from caribou.model.metric import LimitKind, Metric, limit_name, limit_named
from caribou.model.schema.placement import MetricsFile, OutOfSampleFile


def test_metrics_when_listed_then_are_in_the_order_of_priority_and_have_fields_with_units():
    """The names that stand in files; another order or spelling would be another format."""
    assert [(metric.value, metric.field) for metric in Metric] == [
        ("carbon", "carbon_g"),
        ("cost", "cost_usd"),
        ("runtime", "runtime_s"),
    ]


@pytest.mark.parametrize("metric", Metric)
def test_metric_when_it_exists_then_every_fact_of_it_is_known(metric):
    """Unit, words, heading, and whether it differs by hour: a metric without them would fail in a report."""
    assert metric.unit
    assert metric.words
    assert metric.scale(0.0).unit in metric.heading(metric.scale(0.0))
    assert metric.by_hour == (metric == Metric.CARBON)


@pytest.mark.parametrize("model", [MetricsFile, OutOfSampleFile])
def test_placement_schema_when_a_metric_exists_then_has_a_field_for_it(model):
    """Whoever adds a metric is led to `EachMetric`."""
    assert [name for name in model.model_fields if name not in {"samples", "limits"}] == [m.field for m in Metric]


@pytest.mark.parametrize("kind", LimitKind)
@pytest.mark.parametrize("metric", Metric)
def test_limit_name_when_read_again_then_is_of_the_same_limit(kind, metric):
    """`hard.runtime` is the hard limit on run time."""
    assert limit_named(limit_name(kind, metric)) == (kind, metric)


@pytest.mark.parametrize("name", ["runtime", "hard.speed", "firm.cost"])
def test_limit_name_when_it_is_none_then_raises(name):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is not a valid"):
        limit_named(name)
