"""What a service's error means: its region is busy or gone, it refuses us, or we asked for the wrong thing.

By the codes and states of botocore's `ClientError`. Busy: another region, or a later try, may take the call. Refusing:
a region that is not enabled for the account, that an organisation's policy closes, or whose key is off.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

_BUSY = frozenset(
    {
        "NotFound",
        "NoSuchBucket",
        "ResourceNotFoundException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "EC2ThrottledException",
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "PriorRequestNotComplete",
        "TransactionInProgressException",
    }
)
"""Codes of a region that answers but does not take what we send: retired, or too busy."""
_REFUSES_US = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidToken",
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "AuthorizationHeaderMalformed",
        "OptInRequired",
        "SubscriptionRequiredException",
        "NotAuthorized",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "InvalidSecurity",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestExpired",
    }
)
"""Codes of a region that does not know us or lets us do nothing: not opted in, tokens of version 1, denied by an
organisation's policy. Beside them, whatever has the status 401 or 403."""
_TOO_MANY, _BROKEN = 429, 500
_UNAUTHORISED = (401, 403)


def is_busy(error: ClientError) -> bool:
    """Whether a region answers but does not take the call: retired, throttling, or out of order."""
    code, status = _code(error), _status(error)
    if _is_of_kms(code):
        return "THROTTL" in code.upper() or status >= _BROKEN
    return status == _TOO_MANY or status >= _BROKEN or code in _BUSY


def is_refusal(error: ClientError) -> bool:
    """Whether a region does not know us, or lets us do nothing."""
    code = _code(error)
    return code in _REFUSES_US or _status(error) in _UNAUTHORISED or (_is_of_kms(code) and not is_busy(error))


def _is_of_kms(code: str) -> bool:
    """Whether a key is the reason: `KMSDisabled` of SNS, `KMS.DisabledException` of S3, `KmsDisabled` of SQS."""
    return code.upper().startswith("KMS")


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
