"""S3's refusals of credentials, word for word.

AWS documentation: "Error responses" (S3 API Reference).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from stslab.sandbox.api.model import ApiFault, KeyRecord
from stslab.sandbox.signing import canonical
from stslab.sandbox.signing.trust import MAX_SKEW, Circle, basic_time, credential, expired, shown

_HOME = "us-east-1"
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)
_MALFORMED_CREDENTIAL = (
    'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
)
_BAD_DATE = (
    'incorrect date format "{}". This date in the credential must be in the format "yyyyMMdd".'
)
_BAD_SERVICE = 'incorrect service "{}". This endpoint belongs to "s3".'
_BAD_TERMINAL = 'incorrect terminal "{}". This endpoint uses "aws4_request".'
_REMOVED = "(a session token)"
_FORBIDDEN, _BAD = 403, 400


def access_denied(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    """AccessDenied for what the request says of itself, not for what a policy says."""
    return ApiFault("AccessDenied", message, _FORBIDDEN, extra=extra)


def no_date() -> ApiFault:
    """There is no time that the signature could be judged by."""
    return access_denied("AWS authentication requires a valid Date or x-amz-date header")


def bad_parameters(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    """A presigned URL's parameters are not as they must be."""
    return ApiFault("AuthorizationQueryParametersError", message, _BAD, extra=extra)


def invalid_argument(message: str, name: str, value: str) -> ApiFault:
    """A header has a value that it can't have."""
    extra = {"ArgumentName": name, "ArgumentValue": value}
    return ApiFault("InvalidArgument", message, _BAD, extra=extra)


def unsupported_mechanism() -> ApiFault:
    """A signature of a kind that is not verified here."""
    return ApiFault(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256.",
        _BAD,
    )


def bad_credential(text: str, regions: re.Pattern[str], *, in_query: bool) -> ApiFault | None:
    """What is wrong with a credential and its scope; None where nothing is."""
    found = _credential_problem(text, regions)
    if found is None:
        return None
    message, extra = found
    if in_query:
        return bad_parameters(f"Error parsing the X-Amz-Credential parameter; {message}", extra)
    return ApiFault(
        "AuthorizationHeaderMalformed",
        f"The authorization header is malformed; {message}",
        _BAD,
        extra=extra,
    )


def _credential_problem(
    text: str, regions: re.Pattern[str]
) -> tuple[str, Mapping[str, str]] | None:
    named = credential(text)
    if named is None:
        return _MALFORMED_CREDENTIAL, {}
    wrong_region = f"the region '{named.region}' is wrong; expecting '{_HOME}'"
    problems: tuple[tuple[bool, str, Mapping[str, str]], ...] = (
        (not basic_time(f"{named.date}T000000Z"), _BAD_DATE.format(named.date), {}),
        (not named.region, "a non-empty region must be provided in the credential.", {}),
        (not regions.fullmatch(named.region), wrong_region, {"Region": _HOME}),
        (named.service != canonical.S3, _BAD_SERVICE.format(named.service), {}),
        (named.terminal != "aws4_request", _BAD_TERMINAL.format(named.terminal), {}),
    )
    return next(((message, extra) for wrong, message, extra in problems if wrong), None)


def require_skew(time: datetime, now: datetime, sent: str) -> None:
    """Refuse a request made more than 15 minutes before or after now.

    Raises:
        ApiFault: RequestTimeTooSkewed.
    """
    if abs(now - time) > MAX_SKEW:
        raise ApiFault(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            _FORBIDDEN,
            extra={
                "RequestTime": sent,
                "ServerTime": shown(now),
                "MaxAllowedSkewMilliseconds": str(int(MAX_SKEW.total_seconds() * 1000)),
            },
        )


def require_key(circle: Circle, access_key_id: str, token: str) -> KeyRecord:
    """The key that signed, with the session token that goes with it and is still good.

    Raises:
        ApiFault: InvalidAccessKeyId, InvalidToken or ExpiredToken.
    """
    record = circle.keys.lookup(access_key_id)
    if record is None or not record.active or (record.session_token and not token):
        raise ApiFault(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            _FORBIDDEN,
            extra={"AWSAccessKeyId": access_key_id},
        )
    if not canonical.same(record.session_token, token):
        raise ApiFault(
            "InvalidToken", "The provided token is malformed or otherwise invalid.", _BAD
        )
    if expired(record, circle.clock()):
        raise ApiFault("ExpiredToken", "The provided token has expired.", _BAD)
    return record


def mismatch(
    access_key_id: str, to_sign: str, signature: str, canonical_text: str = "", token: str = ""
) -> ApiFault:
    """SignatureDoesNotMatch, with what S3 signed, so that one can see where the two differ.

    The canonical request holds the session token, in S3's answer too; here it is taken out.
    """
    extra = {
        "AWSAccessKeyId": access_key_id,
        "StringToSign": to_sign,
        "SignatureProvided": signature,
        "StringToSignBytes": _bytes(to_sign),
    }
    if canonical_text:
        shown_text = canonical_text
        for secret in filter(None, (token, quote(token, safe="-_.~"))):
            shown_text = shown_text.replace(secret, _REMOVED)
        extra |= {"CanonicalRequest": shown_text, "CanonicalRequestBytes": _bytes(shown_text)}
    return ApiFault("SignatureDoesNotMatch", _MISMATCH, _FORBIDDEN, extra=extra)


def _bytes(text: str) -> str:
    return text.encode().hex(" ")


def too_large() -> ApiFault:
    """What an unsigned request gets that brings more than is read of one."""
    return ApiFault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
