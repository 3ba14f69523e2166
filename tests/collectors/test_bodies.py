"""The bodies of facts: their JSON, what is refused, and what an earlier version stored."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from caribou.collectors.bodies import CarbonBody, CpuPower, PerformanceBody, Prices, ProviderBody
from caribou.collectors.facts import Fact, fact_in
from caribou.model.errors import InvalidInputError

CARBON = CarbonBody(100.0, (100.0,) * 24, 500.0, provenance={"zone": "US-X"})
PROVIDER = ProviderBody(
    pue=1.2,
    cpu_kw_per_vcpu={"x86_64": CpuPower(0.001, 0.004), "arm64": CpuPower(0.001, 0.004)},
    memory_kw_per_gb=0.0004,
    price_usd=Prices(
        compute_per_gb_s={"x86_64": 2e-05, "arm64": 1e-05},
        invocation={"x86_64": 2e-07, "arm64": 2e-07},
        message_request=5e-07,
        table_read_unit=1e-07,
        table_write_unit=6e-07,
        egress_other_region_per_gb=0.02,
    ),
    provenance={"pue": "fleet", "egress": "listed"},
)
PERFORMANCE = PerformanceBody(1.0, {"us-west-2": (0.02, 0.03)}, {"ping": "medians"})

INTERNET = "egress_internet_per_gb"
"""In facts that versions before this one collected."""

STORED = [
    (CARBON, {"average": 100.0, "hourly": [100.0] * 24, "marginal": 500.0, "provenance": {"zone": "US-X"}}),
    (
        PROVIDER,
        {
            "pue": 1.2,
            "cpu_kw_per_vcpu": {"idle": 0.001, "full": 0.004},
            "memory_kw_per_gb": 0.0004,
            "price_usd": {
                "compute_per_gb_s": {"x86_64": 2e-05, "arm64": 1e-05},
                "invocation": {"x86_64": 2e-07, "arm64": 2e-07},
                "message_request": 5e-07,
                "table_read_unit": 1e-07,
                "table_write_unit": 6e-07,
                "egress_other_region_per_gb": 0.02,
                "egress_internet_per_gb": 0.09,
            },
            "provenance": {"pue": "fleet", "egress": "listed"},
        },
    ),
    (
        PERFORMANCE,
        {
            "relative_run_time": 1.0,
            "ping_s": {"us-west-2": [0.02, 0.03]},
            "provenance": {"ping": "medians"},
        },
    ),
]
"""Each body, and the text that stands for it in the fact table, as the first version wrote it."""


@pytest.mark.parametrize(("body", "stored"), STORED)
def test_item_when_an_earlier_version_wrote_it_then_it_is_read(body, stored):
    """A deployed table need not be collected anew for an upgrade."""
    item = {
        "kind": body.kind,
        "region": "us-east-1",
        "body": json.dumps(stored),
        "source": "a snapshot",
        "collected_at": "2026-03-01T00:00:00+00:00",
    }
    assert fact_in(item, type(body)) == Fact("us-east-1", body, "a snapshot", datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(("body", "stored"), STORED)
def test_body_when_written_then_the_json_is_as_it_was(body, stored):
    """Less the one price that nothing reads; and power is by architecture, where one stood for both."""
    expected = json.loads(json.dumps(stored))
    expected.get("price_usd", {}).pop(INTERNET, None)
    if "cpu_kw_per_vcpu" in expected:
        expected["cpu_kw_per_vcpu"] = dict.fromkeys(("x86_64", "arm64"), expected["cpu_kw_per_vcpu"])
    assert body.to_json() == expected
    assert type(body).from_json(json.loads(json.dumps(body.to_json()))) == body


def test_carbon_when_no_marginal_intensity_is_known_then_it_is_absent():
    """Absent is not zero."""
    assert "marginal" not in dataclasses.replace(CARBON, marginal=None).to_json()
    assert "marginal" in dataclasses.replace(CARBON, marginal=0.0).to_json()


@pytest.mark.parametrize(
    ("body", "change", "said"),
    [
        (CARBON, {"hourly": (1.0,) * 23}, r"a carbon fact: has not 24 hourly intensities \(found: 23\)"),
        (CARBON, {"average": -1.0}, "has a wrong number .found: average = -1.0"),
        (CARBON, {"hourly": (*(1.0,) * 23, float("nan"))}, r"hourly\[23\] = nan"),
        (CARBON, {"marginal": "high"}, "marginal = 'high'"),
        (PROVIDER, {"pue": 0.9}, "PUE below 1"),
        (PROVIDER, {"memory_kw_per_gb": None}, "memory_kw_per_gb = None"),
        (PROVIDER, {"cpu_kw_per_vcpu": {"arm64": CpuPower(idle=True, full=1)}}, "arm64.idle = True"),
        (
            PROVIDER,
            {"price_usd": dataclasses.replace(PROVIDER.price_usd, invocation={"arm64": float("inf")})},
            "invocation.arm64 = inf",
        ),
        (PERFORMANCE, {"relative_run_time": 0.0}, "relative run time of nothing"),
        (PERFORMANCE, {"ping_s": {"us-west-2": (0.1, -0.1)}}, r"ping_s.us-west-2\[1\] = -0.1"),
    ],
)
def test_body_when_a_number_is_impossible_then_it_is_refused_where_it_comes_in(body, change, said):
    """A source's mistake is met when it collects, and names the figure."""
    with pytest.raises(InvalidInputError, match=said):
        dataclasses.replace(body, **change)


@pytest.mark.parametrize("body", [[], {"average": 1}, {"average": 1, "hourly": 3}, {"average": 1, "hourly": [1]}])
def test_item_when_its_body_is_another_kinds_then_the_error_names_kind_and_region(body):
    """Whatever is wrong with it."""
    item = {"region": "us-east-1", "body": json.dumps(body), "source": "x", "collected_at": "2026-03-01T00:00:00+00:00"}
    with pytest.raises(InvalidInputError, match=r"carbon of us-east-1.*data_collect carbon"):
        fact_in(item, CarbonBody)
