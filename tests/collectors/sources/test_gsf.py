"""The Green Software Foundation's table: annual means, and columns that are none."""

from datetime import UTC, datetime

import pytest
from grid_services import GSF_COLUMNS, GSF_ROWS, Gsf
from loopback import serving

from caribou.collectors.chain import gather
from caribou.collectors.sources.gsf import GsfTable
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.snapshot import CarbonSnapshot

NOW = datetime(2026, 3, 3, tzinfo=UTC)


def collect(service, *regions, zones=None):
    """What the table gives."""
    with serving(service) as there:
        return GsfTable(there.url, zones or {}).collect(NOW, regions)


def test_facts_when_the_newest_year_has_no_average_then_they_are_of_the_last_that_has_one():
    """The marginal intensity of 2025, under a name of its own and as `grid-carbon-intensity`, is twice as high."""
    body = collect(Gsf(), "eu-central-1").bodies["eu-central-1"]
    assert (body.average, set(body.hourly), body.zone, body.marginal) == (370.93, {370.93}, "DE", 731.22)
    assert body.provenance["level_year"] == 2023
    assert "annual mean of 2023, the same at all hours" in body.provenance["basis"]
    assert body.year_to_year == CarbonSnapshot().collect(NOW, ["eu-central-1"]).bodies["eu-central-1"].year_to_year


def test_facts_when_gathered_then_their_method_says_the_year():
    """And they are to be used for a season."""
    with serving(Gsf()) as there:
        (fact,) = gather([GsfTable(there.url)], NOW, ["us-west-2"]).facts
    assert fact.method == "annual mean of 2024, the same at all hours; no forecast"
    assert fact.body.provenance["contested"] == "is taken as US-NW-BPAT, others name US-NW-PACW"
    assert (fact.source, fact.body.zone, fact.valid_for.days) == ("GSF Real-Time-Cloud", "US-NW-BPAT", 90)


def test_region_when_the_table_has_no_average_of_it_then_that_is_said():
    """One that is not in the table is not covered."""
    given = collect(Gsf(), "eu-central-1", "ca-west-1", "mx-central-1")
    assert set(given.bodies) == {"eu-central-1"}
    assert given.refused == {"ca-west-1": "has no average intensity of ca-west-1"}
    with pytest.raises(SourceError, match="no row of Amazon Web Services") as caught:
        collect(Gsf(rows=GSF_ROWS[1:2]), "ca-west-1")
    assert caught.value.reason is Reason.NOTHING


def test_zone_when_a_project_names_another_then_it_is_that_ones_mean():
    """Of rows of AWS alone: Google's have other figures in the same column."""
    given = collect(Gsf(), "eu-central-1", "us-west-2", zones={"us-west-2": "DE", "eu-central-1": "XX"})
    assert given.bodies["us-west-2"].average == 370.93
    assert given.refused == {"eu-central-1": "has no average intensity of XX"}


@pytest.mark.parametrize(
    ("service", "reason", "said"),
    [
        (Gsf(GSF_COLUMNS.replace("-average-", "-mean-")), Reason.SCHEMA, "average-consumption-annual: Field required"),
        (Gsf(GSF_COLUMNS.replace("cloud-provider", "provider")), Reason.SCHEMA, "no column cloud-provider"),
        (Gsf(rows=(*GSF_ROWS, "2025,Amazon Web Services,us-ea")), Reason.GARBLED, "row 8 is cut"),
        (Gsf(rows=(GSF_ROWS[2].replace("370.93", "0.37093e6"),)), Reason.SCHEMA, "less than or equal to 2500"),
        (Gsf(rows=(GSF_ROWS[2].replace("370.93", "null"),)), Reason.SCHEMA, "valid number"),
        (Gsf(rows=(GSF_ROWS[2].replace("370.93", "nan"),)), Reason.SCHEMA, "average"),
    ],
)
def test_table_when_it_is_another_one_then_the_error_says_where(service, reason, said):
    """No column is guessed, no unit."""
    with pytest.raises(SourceError, match=said) as caught:
        collect(service, "eu-central-1")
    assert caught.value.reason is reason
