"""Signature Version 4 as the Query services (IAM, STS, CloudFormation) verify it.

AWS documentation: "Create a signed AWS API request", "Troubleshoot Signature Version 4 signing
for AWS API requests" (IAM User Guide), "Common Error Types" (STS API Reference).
"""

import base64
import hashlib
import re
from collections.abc import Mapping

from stslab.sandbox.api.model import ApiFault, Authenticated, HttpRequest, KeyRecord
from stslab.sandbox.signing import canonical
from stslab.sandbox.signing.canonical import (
    HASH_HEADER,
    MAX_SKEW,
    TOKEN,
    Circle,
    Claim,
    Credential,
    stamp,
)

REGION = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+", re.ASCII)
_ONCE_HEADERS = ("authorization", "x-amz-date", "date", TOKEN, HASH_HEADER)
_PARAMETERS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
_ONCE_PARAMETERS = (*_PARAMETERS, "X-Amz-Algorithm", "X-Amz-Security-Token")
_FIELDS = ("Credential", "Signature", "SignedHeaders")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)


def verify(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against its signature, in the order in which AWS looks."""
    headers = canonical.header_map(request)
    claim = _claim(request, headers)
    _require_fresh(claim, circle)
    _require_scope(claim)
    record = _key(claim, circle)
    payload_hash = hashlib.sha256(request.body).hexdigest()
    signed = claim.sign(request, headers, payload_hash, record.secret_access_key)
    if not canonical.same(signed.signature, claim.signature):
        raise _mismatch(_MISMATCH)
    plain = canonical.hoisted(request, canonical.ALGORITHM) if claim.in_query else request
    return claim.proved(plain, record, circle, headers.get(HASH_HEADER, ""))


def require_known(request: HttpRequest, circle: Circle) -> None:
    """Refuse a request whose key is unknown, or that has none, as :func:`verify` does."""
    claim = _claim(request, canonical.header_map(request))
    _require_fresh(claim, circle)
    _key(claim, circle)


def _claim(request: HttpRequest, headers: Mapping[str, str]) -> Claim:
    parameters = dict(reversed(request.query))
    in_header, in_query = "authorization" in headers, "X-Amz-Algorithm" in parameters
    if in_header and in_query:
        raise _mismatch(_MISMATCH)
    if not in_header and not in_query:
        raise missing_token()
    if name := canonical.doubled_header(request, headers, _ONCE_HEADERS):
        raise _incomplete(f"The header '{name}' is given more than once.")
    if name := canonical.doubled(request.query, _ONCE_PARAMETERS):
        raise _incomplete(f"The query-string parameter '{name}' is given more than once.")
    claim = _from_header(headers) if in_header else _from_query(parameters)
    if "host" not in claim.signed_headers:
        raise _mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in sorted(headers):
        # The payload's hash is covered whether or not its header is signed.
        wanted = name.startswith("x-amz-") and name != HASH_HEADER
        if wanted and name not in claim.signed_headers:
            raise _mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    return claim


def _from_header(headers: Mapping[str, str]) -> Claim:
    text = headers["authorization"]
    algorithm, _, rest = text.partition(" ")
    if algorithm != canonical.ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    fields: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            raise _incomplete(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed "
                f"with SHA-256 and encoded with Base64): '{digest}'."
            )
        if name in fields:
            raise _incomplete(f"Authorization header has '{name}' more than once.")
        fields[name] = value
    date = headers.get("x-amz-date") or headers.get("date", "")
    lacking = [name for name in _FIELDS if name not in fields]
    missing = [f"Authorization header requires '{name}' parameter." for name in lacking]
    if not date:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if missing:
        raise _incomplete(f"{' '.join(missing)} Authorization={algorithm}")
    return _made(fields, date, headers.get(TOKEN, ""), in_query=False)


def _from_query(parameters: Mapping[str, str]) -> Claim:
    if parameters["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise missing_token()
    lacking = [name for name in _PARAMETERS if name not in parameters]
    if lacking:
        missing = [f"AWS query-string parameters must include '{name}'." for name in lacking]
        raise _incomplete(f"{' '.join(missing)} Re-examine the query-string parameters.")
    fields = {name: parameters[f"X-Amz-{name}"] for name in _FIELDS}
    token = parameters.get("X-Amz-Security-Token", "")
    return _made(fields, parameters["X-Amz-Date"], token, in_query=True)


def _made(fields: Mapping[str, str], date: str, token: str, *, in_query: bool) -> Claim:
    time = canonical.basic_time(date) if in_query else canonical.header_time(date)
    if time is None:
        raise _incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        )
    named = Credential.of(fields["Credential"])
    if named is None:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{fields['Credential']}'"
        )
    return Claim.of(fields, named, time, token, in_query=in_query)


def _require_fresh(claim: Claim, circle: Circle) -> None:
    now, made = circle.real_clock(), stamp(claim.time)
    if now - claim.time > MAX_SKEW:
        raise _mismatch(
            f"Signature expired: {made} is now earlier than {stamp(now - MAX_SKEW)} "
            f"({stamp(now)} - 15 min.)"
        )
    if claim.time - now > MAX_SKEW:
        raise _mismatch(
            f"Signature not yet current: {made} is still later than "
            f"{stamp(now + MAX_SKEW)} ({stamp(now)} + 15 min.)"
        )


def _require_scope(claim: Claim) -> None:
    named, made = claim.credential, stamp(claim.time)
    problems = []
    if not REGION.fullmatch(named.region):
        problems.append("Credential should be scoped to a valid region.")
    if named.terminal != "aws4_request":
        problems.append(
            "Credential should be scoped with a valid terminator: 'aws4_request', "
            f"not '{named.terminal}'."
        )
    if named.date != made[:8]:
        problems.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{named.date}' != '{made[:8]}', from '{made}'."
        )
    if problems:
        raise _mismatch(" ".join(problems))


def _key(claim: Claim, circle: Circle) -> KeyRecord:
    record = circle.keys(claim.credential.access_key_id)
    if record is None or not record.active or not canonical.same(record.session_token, claim.token):
        message = "The security token included in the request is invalid."
        raise ApiFault("InvalidClientTokenId", message, 403)
    if circle.expired(record):
        message = "The security token included in the request is expired"
        raise ApiFault("ExpiredToken", message, 403)
    return record


def missing_token() -> ApiFault:
    """What an unsigned request gets where a signature is needed."""
    return ApiFault("MissingAuthenticationToken", "Request is missing Authentication Token", 403)


def _incomplete(message: str) -> ApiFault:
    return ApiFault("IncompleteSignature", message, 400)


def _mismatch(message: str) -> ApiFault:
    return ApiFault("SignatureDoesNotMatch", message, 403)
