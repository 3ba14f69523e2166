"""How a region fails, by class: the errors that botocore raises then, and what the runtime must make of each.

`ANSWERS` has the codes and states of the services' own documents, as they come over the wire:
`tests/runtime/test_wire.py` shows that botocore reads them so. The simulator raises the same errors in their place.
"""

from enum import Enum, auto

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

SERVICE_OF = {
    "bus": "sns",
    "claims": "dynamodb",
    "syncs": "dynamodb",
    "runs": "dynamodb",
    "parking": "dynamodb",
    "payloads": "s3",
    "failures": "sqs",
    "notifier": "events",
}
"""The service that each port asks."""


class Refusal(Enum):
    """A way in which a region does not take a call."""

    SILENT = auto()
    """No answer, within the time limit."""
    UNCONNECTED = auto()
    """No connection, or one that breaks."""
    GARBLED = auto()
    """An answer that breaks off, or that is none."""
    CREDENTIALS = auto()
    """It does not know us: not opted in, a token that is old or of version 1."""
    DENIED = auto()
    """It knows us, and a policy forbids all."""
    KEY = auto()
    """Its key is off, gone or denied."""
    THROTTLED = auto()
    KEY_THROTTLED = auto()
    SLOW = auto()
    """S3's time limit for a request, which comes as a mistake of ours."""
    BROKEN = auto()
    """5xx."""
    GONE = auto()
    """Nothing of that name: the region was retired."""


NO_ANSWER = {
    Refusal.SILENT: (ConnectTimeoutError(endpoint_url="u"), ReadTimeoutError(endpoint_url="u")),
    Refusal.UNCONNECTED: (
        EndpointConnectionError(endpoint_url="u"),
        ConnectionClosedError(endpoint_url="u"),
        SSLError(endpoint_url="u", error="e"),
    ),
    Refusal.GARBLED: (IncompleteReadError(actual_bytes=1, expected_bytes=2), ResponseParserError("no XML")),
}
"""What botocore raises where there is no answer that it could read."""

_UNKNOWN = [("ExpiredToken", 400), ("NobodyKnowsThisOne", 403), ("NobodyKnowsThisOne", 401)]
_JSON_UNKNOWN = [
    ("UnrecognizedClientException", 400),
    ("ExpiredTokenException", 400),
    ("MissingAuthenticationTokenException", 400),
    ("IncompleteSignatureException", 400),
    ("InvalidSignatureException", 400),
    ("SubscriptionRequiredException", 400),
]
ANSWERS = {
    Refusal.CREDENTIALS: {
        "events": [*_UNKNOWN, *_JSON_UNKNOWN],
        "sns": [*_UNKNOWN, ("InvalidClientTokenId", 403), ("OptInRequired", 403), ("InvalidSecurity", 403)],
        "dynamodb": [*_UNKNOWN, *_JSON_UNKNOWN],
        "sqs": [
            *_UNKNOWN,
            ("InvalidClientTokenId", 403),
            ("InvalidSecurity", 400),
            ("UnrecognizedClientException", 400),
        ],
        "s3": [
            *_UNKNOWN,
            ("InvalidAccessKeyId", 403),
            ("InvalidToken", 400),
            ("TokenRefreshRequired", 400),
            ("AuthorizationHeaderMalformed", 400),
            ("SignatureDoesNotMatch", 403),
        ],
    },
    Refusal.DENIED: {
        "events": [("AccessDeniedException", 400), ("NotAuthorized", 400)],
        "sns": [("AuthorizationError", 403), ("AccessDenied", 403)],
        "dynamodb": [("AccessDeniedException", 400)],
        "sqs": [("AccessDenied", 403), ("AccessDeniedException", 400)],
        "s3": [("AccessDenied", 403)],
    },
    Refusal.KEY: {
        "events": [],
        "sns": [(f"KMS{what}", 400) for what in ("AccessDenied", "Disabled", "InvalidState", "NotFound")],
        "dynamodb": [("KMSAccessDeniedException", 400)],
        "sqs": [("KmsDisabled", 400), ("KMS.AccessDeniedException", 400), ("KmsOptInRequired", 400)],
        "s3": [("KMS.DisabledException", 400), ("KMS.NotFoundException", 400), ("KMS.KMSInvalidStateException", 400)],
    },
    Refusal.THROTTLED: {
        "events": [("ThrottlingException", 400), ("LimitExceededException", 400)],
        "sns": [("Throttling", 400), ("Throttled", 429)],
        "dynamodb": [
            ("ThrottlingException", 400),
            ("ProvisionedThroughputExceededException", 400),
            ("RequestLimitExceeded", 400),
            ("TransactionInProgressException", 400),
        ],
        "sqs": [("RequestThrottled", 400), ("ThrottlingException", 400), ("TooManyRequestsException", 400)],
        "s3": [("SlowDown", 503), ("RequestLimitExceeded", 503)],
    },
    Refusal.KEY_THROTTLED: {
        "events": [],
        "sns": [("KMSThrottling", 400)],
        "dynamodb": [("KMSThrottlingException", 400)],
        "sqs": [("KmsThrottled", 400), ("KMS.ThrottlingException", 400)],
        "s3": [("KMS.ThrottlingException", 400)],
    },
    Refusal.SLOW: {
        "events": [("RequestTimeout", 408)],
        "sns": [("RequestTimeout", 408)],
        "dynamodb": [("RequestTimeoutException", 400)],
        "sqs": [("RequestTimeout", 400)],
        "s3": [("RequestTimeout", 400)],
    },
    Refusal.BROKEN: {
        service: [("InternalError", 500), ("BadGateway", 502), ("ServiceUnavailable", 503), ("GatewayTimeout", 504)]
        for service in ("sns", "dynamodb", "sqs", "s3", "events")
    },
    Refusal.GONE: {
        "events": [("ResourceNotFoundException", 400)],
        "sns": [("NotFound", 404)],
        "dynamodb": [("ResourceNotFoundException", 400)],
        "sqs": [],
        "s3": [("NoSuchBucket", 404)],
    },
}
"""Code and state, by class and service. A queue that is not there is an empty one."""

MISTAKES = {
    "events": [("ValidationException", 400)],
    "sns": [("InvalidParameter", 400), ("ParameterValueInvalid", 400)],
    "dynamodb": [("ValidationException", 400), ("ItemCollectionSizeLimitExceededException", 400)],
    "sqs": [("ReceiptHandleIsInvalid", 400)],
    "s3": [("KeyTooLongError", 400), ("EntityTooLarge", 400)],
}
"""What is wrong wherever it is sent."""

REFUSES_US = frozenset({Refusal.CREDENTIALS, Refusal.DENIED, Refusal.KEY})
"""At home, these are errors to show: no other region, and no later try, would mend them."""


def answer(code, status):
    """What botocore raises for an answer."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation")


def errors_of(refusal, service):
    """All that botocore may raise for a class."""
    if refusal in NO_ANSWER:
        return NO_ANSWER[refusal]
    return tuple(answer(code, status) for code, status in ANSWERS[refusal][service])


def is_users(refusal, region, home):
    """Whether it is the user's fault: else home takes the call, or a later try."""
    return refusal in REFUSES_US and region == home
