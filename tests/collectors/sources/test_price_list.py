"""Prices out of AWS's Price List, as its files have them and when they are not as they are to be."""

import json
import tracemalloc
from datetime import UTC, datetime

import pytest
from aws_price_list import PRODUCTS, file_of, flat, price_list, product, products_of
from contract import make_impatient
from hostile import fuzzed, hostile_json
from hypothesis import given as drawn
from loopback import Answer, serving

from caribou.collectors.bodies import ProviderBody
from caribou.collectors.chain import gather
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.price_list import PriceList
from caribou.collectors.sources.registry import sources_of
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.snapshot import ProviderSnapshot
from caribou.model.errors import OperationFailedError

NOW = datetime(2026, 9, 30, tzinfo=UTC)
EAST, WEST = "us-east-1", "us-west-1"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """What clients wait for, without waiting."""
    return make_impatient(monkeypatch)


def given(service, regions=(EAST, WEST)):
    """What the source gives of some regions, from a service."""
    with serving(service) as there:
        return PriceList.at(there.url).collect(NOW, regions)


def prices(service, region=EAST):
    """The prices of a region."""
    with serving(service) as there:
        found, _ = PriceList.at(there.url).prices(region)
    return found


def changed(service, **by_usage):
    """A price list in which products of a service are changed: by the end of their usage type, `_` for `-`."""

    def change(name, _, products):
        if name != service:
            return products
        for end, with_what in by_usage.items():
            products = [
                {**one, **with_what} if one["attributes"]["usagetype"].endswith(end.replace("_", "-")) else one
                for one in products
            ]
        return products

    return price_list(change)


def without(service, end):
    """A price list that lacks products of a service."""

    def change(name, _, products):
        return [one for one in products if name != service or not one["attributes"]["usagetype"].endswith(end)]

    return price_list(change)


@pytest.mark.parametrize("region", [EAST, WEST])
def test_prices_when_the_files_are_as_documented_then_they_are_those_that_are_packaged(region):
    """The packaged list is of August to October 2025; these prices have not changed since."""
    body = given(price_list()).bodies[region]
    packaged = ProviderSnapshot().collect(NOW, [region]).bodies[region]
    found, expected = body.price_usd.to_json(), packaged.price_usd.to_json()
    assert {key: found[key] for key in expected} == expected
    assert (body.pue, body.cpu_kw_per_vcpu) == (packaged.pue, packaged.cpu_kw_per_vcpu)
    assert ProviderBody.from_json(json.loads(json.dumps(body.to_json()))) == body


def test_prices_when_a_service_has_its_own_by_region_then_logs_queues_and_schedules_are_among_them():
    """Logs cost a third more in the west."""
    bodies = given(price_list()).bodies
    assert [bodies[region].price_usd.log_per_gb for region in (EAST, WEST)] == [0.5, 0.67]
    assert (bodies[WEST].price_usd.queue_request, bodies[WEST].price_usd.scheduled_invocation) == (4e-7, 1e-6)


def test_fact_when_it_is_of_the_price_list_then_it_says_when_that_was_published_and_that_pue_is_packaged():
    """The dates of the oldest and the newest file."""

    def serve(request):
        answer = price_list()(request)
        if "AWSLambda" not in request.path:
            return answer
        return Answer.json({**json.loads(answer.body), "publicationDate": "2026-09-11T12:44:25Z"})

    provenance = given(serve, [EAST]).bodies[EAST].provenance
    assert provenance["prices"] == "2026-09-11 to 2026-09-19"
    assert (provenance["pue"], provenance["pue_source"]) == ("region", "packaged table")


def test_region_when_lambda_has_no_arm64_there_then_its_fact_has_prices_of_x86_alone():
    """That is how a problem knows it."""
    found = prices(without("AWSLambda", "-ARM"))
    assert set(found.compute_per_gb_s) == set(found.invocation) == {"x86_64"}


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (without("AWSLambda", "Lambda-GB-Second"), "has no price of us-east-1: AWSLambda, group AWS-Lambda-Duration"),
        (without("AWSLambda", "Request-ARM"), "has no price of us-east-1: AWSLambda, group AWS-Lambda-Requests-ARM"),
        (without("AWSDataTransfer", "eu-west-3-AWS-Out-Bytes"), "no price of us-east-1: AWSDataTransfer.*eu-west-3"),
        (changed("AmazonSNS", Requests_Tier1={"tiers": [("0", "0")]}), "has no price of us-east-1: AmazonSNS"),
        (changed("AWSEvents", ScheduledInvocation={"unit": "1M-Invocations"}), "another unit.*per 1M-Invocations"),
        (changed("AWSQueueService", RBP={"tiers": flat("0.4")}), r"another unit.*AWSQueueService.* is 0\.4 USD"),
        (
            changed("AmazonS3", Requests_Tier1={"currency": "CNY"}),
            "another unit.*AmazonS3, group S3-API-Tier1.* in CNY",
        ),
        (changed("AmazonCloudWatch", DataProcessing_Bytes={"tiers": flat("-1")}), "another unit.*AmazonCloudWatch"),
        (changed("AmazonCloudWatch", DataProcessing_Bytes={"tiers": flat("NaN")}), "another unit.*AmazonCloudWatch"),
    ],
)
def test_price_when_it_is_missing_or_in_another_unit_then_the_region_is_refused_with_the_reason(service, said):
    """And no other is."""

    def serve(request):
        return (service if EAST in request.path else price_list())(request)

    found = given(serve)
    assert set(found.bodies) == {WEST}
    with pytest.raises(OperationFailedError, match=said):
        raise OperationFailedError(found.refused[EAST])


def twice(service, end, usd):
    """A price list that has a product of a service once more, for another price or the same."""

    def change(name, _, products):
        more = [one for one in products if name == service and one["attributes"]["usagetype"].endswith(end)]
        return [*products, *({**one, "tiers": flat(usd)} for one in more)]

    return price_list(change)


def test_price_when_it_stands_there_twice_then_it_is_refused_unless_both_are_the_same():
    """Never a guess."""
    with pytest.raises(OperationFailedError, match=r"several prices of us-east-1: AmazonS3.*: 9e-07 and 5e-06 USD"):
        prices(twice("AmazonS3", "Requests-Tier1", "0.0000009"))
    assert prices(twice("AmazonS3", "Requests-Tier1", "0.000005")).object_put == 5e-6


def test_price_when_two_tiers_begin_at_the_same_amount_then_it_is_refused():
    """No order of them is better than the other."""
    with pytest.raises(OperationFailedError, match="several prices of us-east-1: AmazonSNS"):
        prices(changed("AmazonSNS", Requests_Tier1={"tiers": [("0", "0.0000005"), ("0", "0.0000004")]}))


def test_tiers_when_they_stand_in_another_order_then_the_first_that_costs_something_counts():
    """By where they begin; a free one is not a price."""
    tiers = [("9", "0.0000001"), ("1000000", "0.0000002"), ("0", "0")]
    assert prices(changed("AmazonSNS", Requests_Tier1={"tiers": tiers})).message_request == 1e-7


@pytest.mark.parametrize("service", sorted(PRODUCTS))
def test_region_when_a_service_has_no_file_of_it_then_it_is_refused(service):
    """It is not offered there."""
    found = given(price_list(lambda name, region, p: None if (name, region) == (service, WEST) else p))
    assert set(found.bodies) == {EAST}
    assert f"has nothing at this address: offers/v1.0/aws/{service}/current/{WEST}" in found.refused[WEST]


def test_file_when_it_is_of_another_service_then_it_is_refused():
    """A mirror that is set up wrong, say."""
    files = price_list(lambda name, region, p: p if name != "AmazonSNS" else products_of("AmazonS3", region))

    def serve(request):
        answer = files(request)
        return Answer(answer.body.replace(b'"offerCode": "AmazonSNS"', b'"offerCode": "AmazonS3"'))

    with pytest.raises(SourceError, match="it is of AmazonS3") as caught:
        prices(serve)
    assert caught.value.reason is Reason.SCHEMA


def test_regions_when_the_service_is_out_of_order_then_it_is_not_asked_for_each():
    """Four tries of the first file, for all regions; the next source of the chain gives them."""
    with serving(price_list()) as there:
        there.always = Answer(b"", 503)
        settings = {"price_list": SourceSettings(url=there.url)}
        sources = sources_of("provider", ["price_list", "snapshot"], settings, KeyRing(""))
        gathered = gather(sources, NOW)
        assert len(there.requests) == 4
    assert gathered.missing == ()
    assert {fact.source for fact in gathered.facts} == {ProviderSnapshot().origin}
    assert any("AWS Price List, and snapshot of PUE: AWS Price List is out of order" in t for t in gathered.fallbacks)


def test_file_when_it_is_large_then_what_is_not_wanted_is_dropped_while_it_is_read():
    """It takes its own size twice, bytes and text, and little more."""
    many = [product(f"USE1-Other-{i}", flat("0.1"), "GB", group="Other") for i in range(4000)]
    file = json.dumps(file_of("AmazonSNS", EAST, [*products_of("AmazonSNS", EAST), *many])).encode()
    with serving(lambda _: Answer(file)) as there:
        files = PriceList.at(there.url).files
        files.offer("AmazonSNS", EAST)
        tracemalloc.start()
        offer = files.offer("AmazonSNS", EAST)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert sum(one is not None for one in offer.file.products.values()) == 1
    assert peak < 4 * len(file)


@fuzzed
@drawn(text=hostile_json(file_of("AmazonSNS", EAST, products_of("AmazonSNS", EAST))))
def test_file_when_it_is_damaged_then_it_gives_a_price_that_can_be_or_one_error(text):
    """Whatever is gone from it, or stands there in place of what was."""
    files = PriceList.at("http://nobody").files
    files.client.body = lambda _: text.encode(errors="surrogatepass")
    [wanted] = [one for one in files.wanted if one.service == "AmazonSNS"]
    try:
        assert 0 < files.offer("AmazonSNS", EAST).price(wanted) <= wanted.most_usd
    except OperationFailedError as error:
        assert len(str(error).encode()) < 1000  # noqa: PT017 - either outcome is right
