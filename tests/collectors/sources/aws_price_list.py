"""AWS's Price List on the loopback: files of the documented form, with a few products of each service.

Figures of us-east-1 and us-west-1 as the files of September 2026 have them, with the products beside them that are not
to be taken: free tiers, provisioned capacity, FIFO queues, other classes of logs and objects, accelerated transfers.
"""

from __future__ import annotations

import re

from loopback import Answer

from caribou.model.regions import KNOWN_REGIONS

SHORT = {"us-east-1": "USE1", "us-west-1": "USW1", "ap-southeast-7": "APS9"}
COMPUTE = {"us-east-1": ("0.0000166667", "0.0000133334"), "us-west-1": ("0.0000166667", "0.0000133334")}
TABLES = {"us-east-1": ("0.000000125", "0.000000625"), "us-west-1": ("0.0000001395", "0.000000695")}
OBJECTS = {"us-east-1": ("0.000005", "0.0000004"), "us-west-1": ("0.0000055", "0.00000044")}
LOGS = {"us-east-1": "0.5000000000", "us-west-1": "0.6700000000"}
PATH = re.compile(r"/offers/v1\.0/aws/(\w+)/current/([\w-]+)/index\.json")


def product(usage, tiers, unit, family="API Request", currency="USD", **attributes):
    """A product, and its tiers: from how much on, for how much."""
    return {"family": family, "attributes": {"usagetype": usage, **attributes}, "tiers": tiers, "unit": unit,
            "currency": currency}  # fmt: skip


def flat(usd):
    """One tier."""
    return [("0", usd)]


def lambda_products(region, short):
    """x86 in tiers, arm64, the free tier of all regions, Lambda@Edge."""
    x86, arm = COMPUTE.get(region, COMPUTE["us-east-1"])
    tiers = [("0", x86), ("6000000000", "0.0000150000"), ("15000000000", "0.0000133334")]
    return [
        product(f"{short}Lambda-GB-Second", tiers, "Lambda-GB-Second", "Serverless", group="AWS-Lambda-Duration"),
        product(f"{short}Lambda-GB-Second-ARM", flat(arm), "seconds", "Serverless", group="AWS-Lambda-Duration-ARM"),
        product(f"{short}Request", flat("0.0000002000"), "Requests", "Serverless", group="AWS-Lambda-Requests"),
        product(f"{short}Request-ARM", flat("0.0000002000"), "Request", "Serverless", group="AWS-Lambda-Requests-ARM"),
        product(
            "Global-Lambda-GB-Second", flat("0"), "Second", "Serverless", group="AWS-Lambda-Duration", regionCode="Any"
        ),
        product("Lambda-Edge-Request", flat("0.0000006"), "Request", "Serverless", group="AWS-Lambda-Edge-Requests"),
    ]


def topic_products(_, short):
    """Publishing, with a free tier of its own in front; deliveries."""
    tiers = [("0", "0.0000000000"), ("1000000", "0.0000005000")]
    return [
        product(f"{short}Requests-Tier1", tiers, "Requests", group="SNS-Requests-Tier1"),
        product(f"{short}DeliveryAttempts-LAMBDA", flat("0"), "Notifications", "Message Delivery", group="SNS-Lambda"),
    ]


def table_products(region, short):
    """On demand, and provisioned under the same groups; of the infrequently accessed class."""
    read, write = TABLES.get(region, TABLES["us-east-1"])
    on_demand, family = {"operation": "PayPerRequestThroughput"}, "Amazon DynamoDB PayPerRequest Throughput"
    provisioned = {"operation": "CommittedThroughput", "family": "Provisioned IOPS"}
    return [
        product(f"{short}ReadRequestUnits", flat(read), "ReadRequestUnits", family, group="DDB-ReadUnits", **on_demand),
        product(
            f"{short}WriteRequestUnits", flat(write), "WriteRequestUnits", family, group="DDB-WriteUnits", **on_demand
        ),
        product(
            f"{short}IA-WriteRequestUnits", flat("0.00000078"), "WriteRequestUnits", family, group="DDB-WriteUnitsIA",
            **on_demand,
        ),
        product(
            f"{short}WriteCapacityUnit-Hrs", [("0", "0"), ("18600", "0.00065")], "WriteCapacityUnit-Hrs",
            group="DDB-WriteUnits", **provisioned,
        ),
    ]  # fmt: skip


def object_products(region, short):
    """Requests of the standard class and of another."""
    put, get = OBJECTS.get(region, OBJECTS["us-east-1"])
    return [
        product(f"{short}Requests-Tier1", flat(put), "Requests", group="S3-API-Tier1"),
        product(f"{short}Requests-Tier2", flat(get), "Requests", group="S3-API-Tier2"),
        product(f"{short}Requests-SIA-Tier1", flat("0.00001"), "Requests", group="S3-API-SIA-Tier1"),
    ]


def log_products(region, short):
    """Ingestion of both classes, and scans."""
    short = short or "USE1-"
    usd, ingested = LOGS.get(region, LOGS["us-east-1"]), {"family": "Data Payload", "operation": "PutLogEvents"}
    return [
        product(f"{short}DataProcessing-Bytes", flat(usd), "GB", group="Ingested Logs", **ingested),
        product(f"{short}DataProcessingIA-Bytes", flat("0.25"), "GB", group="IA Custom ingested Logs", **ingested),
        product(f"{short}DataScanned-Bytes", flat("0.005"), "GB", "Data Payload", group="Queried Logs"),
    ]


def queue_products(region, short):
    """Standard, FIFO and fair queues, under one group."""
    usage = "Requests-RBP" if region == "us-east-1" else f"{short}Requests-Tier1"
    tiers = [("0", "0.0000004000"), ("100000000000", "0.0000003000")]
    return [
        product(usage, tiers, "Requests", group="SQS-APIRequest-Tier1", queueType="Standard"),
        product(f"{short}Requests-FIFO", flat("0.0000005"), "Requests", group="SQS-APIRequest-Tier1", queueType="FIFO"),
        product(f"{short}Requests-Fair", flat("0.0000001"), "Requests", group="SQS-APIRequest-Tier1", queueType="Fair"),
    ]


def event_products(_, short):
    """The scheduler's invocations, with their free tier in front, and custom events."""
    short = short or "USE1-"
    tiers = [("0", "0"), ("14000000", "0.0000010000")]
    return [
        product(f"{short}ScheduledInvocation", tiers, "Invocations", "EventBridge", operation="Invocation"),
        product(f"{short}Event-64K-Chunks", flat("0.000001"), "64K-Chunks", "EventBridge", operation="PutEvents"),
    ]


def transfer_products(region, short):
    """To each other region; from there; accelerated; to the internet."""
    short = short or "USE1-"
    pairs = []
    for other in (other for other in KNOWN_REGIONS if other != region):
        usd = "0.0100000000" if {region, other} == {"us-east-1", "us-east-2"} else "0.0200000000"
        there = {"toRegionCode": other, "transferType": "InterRegion Outbound"}
        back = {"fromRegionCode": other, "toRegionCode": region, "transferType": "InterRegion Inbound"}
        pairs += [
            product(f"{short}{other}-AWS-Out-Bytes", flat(usd), "GB", "Data Transfer", fromRegionCode=region, **there),
            product(f"{short}{other}-AWS-Out-ABytes", flat("0.04"), "GB", "Data Transfer", fromRegionCode=region,
                    **there),
            product(f"{short}{other}-AWS-In-Bytes", flat("0"), "GB", "Data Transfer", **back),
        ]  # fmt: skip
    out = {"transferType": "AWS Outbound", "toLocation": "External", "fromRegionCode": region}
    internet = [("0", "0.09"), ("10240", "0.085")]
    return [*pairs, product(f"{short}DataTransfer-Out-Bytes", internet, "GB", "Data Transfer", **out)]


PRODUCTS = {
    "AWSLambda": lambda_products,
    "AmazonSNS": topic_products,
    "AmazonDynamoDB": table_products,
    "AmazonS3": object_products,
    "AmazonCloudWatch": log_products,
    "AWSQueueService": queue_products,
    "AWSEvents": event_products,
    "AWSDataTransfer": transfer_products,
}


def products_of(service, region):
    """The products of a service in a region."""
    short = "" if region == "us-east-1" else f"{SHORT.get(region, region)}-"
    return PRODUCTS[service](region, short)


def file_of(service, region, products, published="2026-09-19T00:23:59Z"):
    """A file as AWS writes it; products of a transfer have no region of their own."""
    listed, on_demand = {}, {}
    for i, one in enumerate(products):
        sku = f"{service[3:6].upper()}{i:013}"
        own = {} if service == "AWSDataTransfer" else {"regionCode": region, "locationType": "AWS Region"}
        attributes = {"servicecode": service, "operation": "", **own, **one["attributes"]}
        listed[sku] = {"sku": sku, "productFamily": one["family"], "attributes": attributes}
        ends = [*(begin for begin, _ in one["tiers"][1:]), "Inf"]
        on_demand[sku] = {
            f"{sku}.JRTCKXETXF": {
                "offerTermCode": "JRTCKXETXF",
                "sku": sku,
                "effectiveDate": "2026-09-01T00:00:00Z",
                "priceDimensions": {
                    f"{sku}.JRTCKXETXF.{tier}": {
                        "rateCode": f"{sku}.JRTCKXETXF.{tier}",
                        "description": f"${usd} per {one['unit']}",
                        "beginRange": begin,
                        "endRange": end,
                        "unit": one["unit"],
                        "pricePerUnit": {one["currency"]: usd},
                        "appliesTo": [],
                    }
                    for tier, ((begin, usd), end) in enumerate(zip(one["tiers"], ends, strict=True))
                },
                "termAttributes": {},
            }
        }
    return {
        "formatVersion": "v1.0",
        "disclaimer": "This pricing list is for informational purposes only.",
        "offerCode": service,
        "version": "20260919002359",
        "publicationDate": published,
        "products": listed,
        "terms": {"OnDemand": on_demand},
        "attributesList": {},
    }


def price_list(change=lambda service, region, products: products):  # noqa: ARG005 - what it may look at
    """The service; `change` makes other products of those of a service in a region, None for no file."""

    def serve(request):
        found = PATH.fullmatch(request.path)
        if found is None or found[1] not in PRODUCTS:
            return Answer.json({}, 403)  # as S3 answers for what is not there
        service, region = found.groups()
        products = change(service, region, products_of(service, region))
        return Answer(b"", 404) if products is None else Answer.json(file_of(service, region, products))

    return serve
