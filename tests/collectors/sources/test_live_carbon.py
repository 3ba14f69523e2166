"""A feed of hours as a source of carbon facts."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.feed import HISTORY
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.live_carbon import LiveCarbon
from caribou.collectors.sources.snapshot import CarbonSnapshot

NOW = datetime(2026, 3, 4, 5, 30, tzinfo=UTC)
ZONES = {"us-east-1": "PJM", "us-east-2": "PJM", "us-west-1": "CISO", "eu-west-2": "GB"}


@dataclass
class Feed:
    """Hours of a wave by day, for a few zones; `wrong` has errors and values by zone."""

    wrong: dict[str, object] = field(default_factory=dict)
    times: int = 40
    asked: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    no_forecast: SourceError | None = None
    name, origin, licence, basis, signal = "waves", "Waves", "CC0", "lifecycle", Signal.AVERAGE

    def zone_of(self, region):
        """A zone of the table above."""
        return ZONES.get(region)

    def history(self, region, start, end):
        """100 g/kWh at six o'clock, more before and after; every third hour an estimate."""
        self.asked.append((region, start, end))
        wrong = self.wrong.get(ZONES[region])
        if isinstance(wrong, SourceError):
            raise wrong
        hours = [start + timedelta(hours=i) for i in range(int((end - start) / timedelta(hours=1)))]
        values = [150 + 50 * math.cos((at.hour - 18) * math.pi / 12) for at in hours]
        if wrong is not None:
            values[-5 * self.times :: 5] = [wrong] * self.times
        return HourlySeries.of(
            Signal.AVERAGE, [HourValue(at, g, at.hour % 3 == 0) for at, g in zip(hours, values, strict=True)]
        )

    def forecast(self, region, now):  # noqa: ARG002 - the same for all
        """None, or none to be had."""
        if self.no_forecast:
            raise self.no_forecast

    def notes(self, region):
        """The region."""
        return {"note": region}


def test_facts_when_a_feed_has_hours_then_they_say_the_hours_of_the_day_and_whence():
    """Four weeks up to the last full hour; a zone of two regions is asked once."""
    feed = Feed()
    given = LiveCarbon(feed).collect(NOW, ["us-east-1", "us-east-2", "us-west-2"])
    assert set(given.bodies) == {"us-east-1", "us-east-2"}
    assert given.refused == {}
    assert feed.asked == [("us-east-1", NOW.replace(minute=0) - HISTORY, NOW.replace(minute=0))]
    body = given.bodies["us-east-2"]
    assert min(range(24), key=body.hourly.__getitem__) == 6
    assert body.average == pytest.approx(150, abs=1)
    assert (body.zone, body.provenance["licence"], body.provenance["note"]) == ("PJM", "CC0", "us-east-2")
    assert body.provenance["estimated_share"] == pytest.approx(1 / 3, abs=0.01)
    assert body.provenance["method"].startswith("means by hour of day of the last 28 days")
    packaged = CarbonSnapshot().collect(NOW, ["us-east-2"]).bodies["us-east-2"]
    assert (body.marginal, body.year_to_year) == (packaged.marginal, packaged.year_to_year)


@pytest.mark.parametrize("value", [3000.0, -1.0, math.nan])
def test_facts_when_a_value_can_not_be_then_that_region_alone_is_refused(value):
    """A unit mixed up, a sign lost: the error names an hour and the region."""
    given = LiveCarbon(Feed({"CISO": value})).collect(NOW, ["us-west-1", "eu-west-2"])
    assert set(given.bodies) == {"eu-west-2"}
    assert "another unit" in given.refused["us-west-1"]
    assert "UTC in us-west-1, and so 40 of 672 hours" in given.refused["us-west-1"]


def test_facts_when_a_few_values_can_not_be_then_they_are_not_known():
    """And the fact says how many."""
    given = LiveCarbon(Feed({"CISO": 3000.0}, times=3)).collect(NOW, ["us-west-1"])
    body = given.bodies["us-west-1"]
    assert body.average == pytest.approx(150, abs=1)
    assert body.provenance["refused"].startswith("3 of 671 hours, below 0 or above 2500")


def test_facts_when_a_zone_is_not_in_the_plan_then_the_others_are_given():
    """And when the service itself is at fault, it is not asked on; what it gave before stays."""
    feed = Feed({"CISO": SourceError("Waves", Reason.NOT_IN_PLAN)})
    assert set(LiveCarbon(feed).collect(NOW, ["us-west-1", "eu-west-2"]).bodies) == {"eu-west-2"}
    feed = Feed({"CISO": SourceError("Waves", Reason.REFUSED)})
    given = LiveCarbon(feed).collect(NOW, ["us-east-1", "us-west-1", "eu-west-2"])
    assert set(given.bodies) == {"us-east-1"}
    assert set(given.refused) == {"us-west-1", "eu-west-2"}
    assert len(feed.asked) == 2


def test_facts_when_the_publishers_forecast_is_not_to_be_had_then_ours_is_made_and_says_why():
    """A plan may have the past alone; that is no reason to have nothing."""
    feed = Feed(no_forecast=SourceError("Waves", Reason.NOT_IN_PLAN, "forecast: HTTP 403"))
    body = LiveCarbon(feed).collect(NOW, ["us-west-1"]).bodies["us-west-1"]
    assert body.provenance["method"].startswith("means by hour of day of the last 28 days")
    assert body.provenance["published_forecast"] == "does not give this to the key's plan: forecast: HTTP 403"
