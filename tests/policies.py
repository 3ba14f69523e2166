"""IAM's policies evaluated as AWS documents it, and strictly: an operator or a key that is not known here is an error.

The local cloud knows none of DynamoDB's condition keys, so a condition that would stop a run on AWS, or hold nothing,
shows here alone. What a request has for each key is read out of its parameters ("Using IAM policy conditions for
fine-grained access control", DynamoDB Developer Guide).
"""

import operator
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

ACCOUNT, PARTITION = "111122223333", "aws"
_WORDS = {"SET", "ADD", "REMOVE", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"}
_FUNCTIONS = {"attribute_exists", "attribute_not_exists", "contains", "begins_with", "size", "if_not_exists"}
_EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "FilterExpression", "ProjectionExpression")
_OPERATORS = {
    "StringEquals": operator.eq,
    "StringLike": fnmatchcase,
}
_KNOWN = {
    *("aws:RequestedRegion", "aws:ResourceAccount", "events:source"),
    *("dynamodb:LeadingKeys", "dynamodb:Attributes", "dynamodb:ReturnValues"),
}


@dataclass(frozen=True)
class Request:
    """A call as IAM sees it: its action, its resource's ARN, and condition keys, each with a tuple of values."""

    action: str
    resource: str
    keys: dict = field(default_factory=dict)


def is_allowed(statements, request):
    """Whether some statements, as a template has them, allow a request."""
    return any(_matches(statement, request) for statement in statements)


def _matches(statement, request):
    assert statement["Effect"] == "Allow"
    assert set(statement) <= {"Effect", "Action", "Resource", "Condition", "Sid"}, statement
    resources = [text_of(resource) for resource in _listed(statement["Resource"])]
    return (
        request.action in _listed(statement["Action"])
        and any(fnmatchcase(request.resource, resource) for resource in resources)
        and all(
            _holds(condition, key, [text_of(value) for value in _listed(values)], request.keys)
            for condition, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(condition, key, wanted, keys):
    assert key in _KNOWN, key
    quantifier, _, name = condition.rpartition(":")
    if_exists = name.endswith("IfExists")
    compare = _OPERATORS[name.removesuffix("IfExists")]
    found = keys.get(key, ())
    if quantifier == "ForAllValues":
        return all(any(compare(value, one) for one in wanted) for value in found)
    assert quantifier == ""
    assert len(found) <= 1, "an operator without a quantifier is for keys of one value"
    return if_exists if not found else any(compare(found[0], one) for one in wanted)


def _listed(value):
    return value if isinstance(value, list) else [value]


def text_of(value):
    """A text of a template, with what CloudFormation fills in."""
    match value:
        case str():
            return value
        case {"Ref": "AWS::AccountId"}:
            return ACCOUNT
        case {"Ref": "AWS::Partition"}:
            return PARTITION
        case {"Ref": "AWS::Region"}:
            return "us-east-1"
        case {"Fn::Join": [delimiter, parts]}:
            return delimiter.join(map(text_of, parts))
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
    raise AssertionError(value)


def request_of(service, operation, region, parameters):
    """The request in a call of boto3's client: its operation (`UpdateItem`) and parameters, as they are sent."""
    action, resource = f"{service}:{operation}", _resource(service, region, parameters)
    if service == "s3":
        keys = {"aws:ResourceAccount": (ACCOUNT,)}
    elif service == "events":
        keys = {"events:source": tuple(entry["Source"] for entry in parameters["Entries"])}
    else:
        keys = _dynamodb_keys(parameters) if service == "dynamodb" else {}
    return Request(action, resource, {"aws:RequestedRegion": (region,), **keys})


def _resource(service, region, parameters):
    match service:
        case "dynamodb":
            table = f"arn:{PARTITION}:dynamodb:{region}:{ACCOUNT}:table/{parameters['TableName']}"
            return f"{table}/index/{parameters['IndexName']}" if "IndexName" in parameters else table
        case "sns":
            return parameters["TopicArn"]
        case "sqs":
            queue = parameters.get("QueueName") or parameters["QueueUrl"].rpartition("/")[2]
            return f"arn:{PARTITION}:sqs:{region}:{ACCOUNT}:{queue}"
        case "events":
            (bus,) = {entry.get("EventBusName", "default") for entry in parameters["Entries"]}
            return f"arn:{PARTITION}:events:{region}:{ACCOUNT}:event-bus/{bus}"
        case "s3":
            return f"arn:{PARTITION}:s3:::{parameters['Bucket']}/{parameters['Key']}"
    raise AssertionError(service)


def _dynamodb_keys(parameters):
    keys = {"dynamodb:Attributes": tuple(sorted(_attributes(parameters)))}
    if leading := _leading(parameters):  # a scan has none
        keys["dynamodb:LeadingKeys"] = leading
    return keys | ({"dynamodb:ReturnValues": (parameters["ReturnValues"],)} if "ReturnValues" in parameters else {})


def _leading(parameters):
    if "KeyConditionExpression" in parameters:
        return tuple(value["S"] for value in parameters["ExpressionAttributeValues"].values())[:1]
    key = parameters.get("Key") or parameters.get("Item") or {}
    return tuple(key[name]["S"] for name in ("run_id", "id", "workflow") if name in key)[:1]


def _attributes(parameters):
    """Every attribute that a request names: in its key or item, and in each of its expressions."""
    names = parameters.get("ExpressionAttributeNames", {})
    text = " ".join(parameters.get(name, "") for name in _EXPRESSIONS)
    bare = {word for word in re.findall(r"(?<![:#\w])[A-Za-z_]\w*", text) if word not in _WORDS | _FUNCTIONS}
    written = {names[word] for word in re.findall(r"#\w+", text)}
    return bare | written | set(parameters.get("Key", {})) | set(parameters.get("Item", {}))
