"""Finds the caller of each request by its signature: SigV4 or S3's Signature Version 2.

Unsigned requests pass where AWS allows them: in S3, and for the two STS calls that exchange an
identity provider's token or assertion for credentials.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from stslab.policy import Principal, PrincipalKind
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.http import BAD_ESCAPE, MAX_HEADERS, bucket_in_host, parse_query
from stslab.sandbox.api.model import ApiFault, Authenticated, Caller, HttpRequest, KeyRecord, Pairs
from stslab.sandbox.signing import canonical, chunks, s3, v2
from stslab.sandbox.signing.canonical import HASH_HEADER, MAX_SKEW, TOKEN, Claim, Context, stamp
from stslab.structures import beside

_SCOPED = re.compile(r"Credential=[^,=]*/[^/,\s]*/[^/,\s]*/([a-z0-9-]{1,40})/")
_SERVICE = re.compile(r"[a-z0-9-]{1,40}")
FORM = "application/x-www-form-urlencoded"
# STS API Reference: "Calling ... does not require the use of AWS security credentials."
UNSIGNED_ACTIONS = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_MOST_IN_HEADERS = 8192
_ONCE = ("authorization", "x-amz-date", "date", TOKEN, HASH_HEADER)
_ASYMMETRIC = "AWS4-ECDSA-P256-SHA256"  # Signature Version 4A, which is not supported
_S3_HEADERS = {canonical.ALGORITHM: s3.verify_header, "AWS": v2.verify_header}


class Authenticator(Context, frozen=True):
    """Finds the caller of a request."""

    def authenticate(self, request: HttpRequest) -> Authenticated:
        """ApiFault: the error of the service that the request addresses, never with a secret."""
        if addressed_service(request) == canonical.S3:
            return _s3(request, self)
        if request.header("authorization") or request.argument("X-Amz-Algorithm"):
            return _verify(request, self)
        pairs: Pairs = ()
        with suppress(ApiFault, UnicodeDecodeError):
            pairs = (*request.query, *parse_query(request.body.decode("ascii", "strict")))
        actions = [value for name, value in pairs if name == "Action"]
        if len(actions) != 1 or actions[0] not in UNSIGNED_ACTIONS:
            raise missing_token()
        return _anonymous(request, "sts")

    def expect(self, head: HttpRequest) -> None:
        """Verify the head of a request with a large body, before the body is read.

        S3's signatures cover only the head. Those of other services cover the body too, so there
        only the key is checked.
        """
        if addressed_service(head) != canonical.S3:
            claim = _claim(head, canonical.header_map(head))
            _require_fresh(claim, self)
            _key(claim, self)
        elif _s3(head, replace(self, with_body=False)).caller.kind == "Anonymous":
            if head.has_header("Transfer-Encoding") and not head.has_header(HASH_HEADER):
                raise fault("NotImplemented", Header="Transfer-Encoding")
            raise fault("EntityTooLarge")


def _s3(request: HttpRequest, context: Context) -> Authenticated:
    names = {name for name, _ in request.query}
    v4_query, v2_query = "X-Amz-Algorithm" in names, "Signature" in names
    headers = canonical.header_map(request)
    text = headers.get("authorization", "")
    if BAD_ESCAPE.search(request.path) or "%00" in request.path:
        raise fault("InvalidURI")  # whatever its signature
    if sum(len(name) + len(value) for name, value in request.headers) > _MOST_IN_HEADERS:
        raise fault("RequestHeaderSectionTooLarge", MaxSizeAllowed=_MOST_IN_HEADERS)
    if ("authorization" in headers) + v4_query + v2_query > 1:
        raise invalid_argument(SAYS["auth twice"], "Authorization", headers.get("authorization"))
    if name := canonical.repeated([name.lower() for name, _ in request.headers], _ONCE):
        raise fault("NotImplemented", Header=name if "-" in name else name.title())
    if v4_query:
        return s3.verify_query(request, headers, context)
    if v2_query:
        return v2.verify_query(request, context)
    if text:
        return _s3_header(request, headers, context)
    payload_hash, unsigned = headers.get(HASH_HEADER, s3.UNSIGNED), {chunks.UNSIGNED_TRAILER}
    if payload_hash in chunks.MODES - unsigned:
        raise fault("InvalidRequest", SAYS["anonymous chunks"])
    if context.with_body:
        request = s3.with_payload(request, payload_hash, unsigned)
    return _anonymous(request, canonical.S3)


def _s3_header(request: HttpRequest, headers: canonical.Headers, context: Context) -> Authenticated:
    text = headers["authorization"]
    scheme, space, _ = text.partition(" ")
    if not space:
        raise invalid_argument(SAYS["authorization space"], "Authorization", text)
    if scheme == _ASYMMETRIC:
        raise fault("InvalidRequest", SAYS["mechanism"])
    if scheme not in _S3_HEADERS:
        raise invalid_argument("Unsupported Authorization Type", "Authorization", text)
    return _S3_HEADERS[scheme](request, headers, context)


def _anonymous(request: HttpRequest, service: str) -> Authenticated:
    caller = Caller(Principal(PrincipalKind.ANONYMOUS, "anonymous"))
    return Authenticated(caller, service, "", request)


def addressed_service(request: HttpRequest) -> str:
    """The service in the credential scope of an unverified request, for the format of errors.

    Without a scope it is S3, or STS if the request looks like the Query protocol.
    """
    if found := _SCOPED.search(request.header("authorization")):
        return found[1]
    parts = request.argument("X-Amz-Credential").split("/")
    if len(parts) == 5 and _SERVICE.fullmatch(parts[3]):  # noqa: PLR2004 - key, date, region, service, end
        return parts[3]
    if request.path != "/" or bucket_in_host(request):
        return canonical.S3
    is_query = bool(request.argument("Action"))
    if request.method == "POST" and not is_query:
        is_query = request.header("content-type").partition(";")[0].strip().lower() == FORM
    return "sts" if is_query else canonical.S3


# -- Signature Version 4 for the Query services (IAM, STS, CloudFormation) ---------------------

# IAM User Guide, "Create a signed AWS API request", "Troubleshoot Signature Version 4 signing for
# AWS API requests"; STS API Reference, "Common Error Types".
_PARAMETERS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
_ONCE_PARAMETERS = (*_PARAMETERS, "X-Amz-Algorithm", "X-Amz-Security-Token")
_FIELDS = ("Credential", "Signature", "SignedHeaders")
_INCOMPLETE = "IncompleteSignature"
_incomplete = partial(ApiFault, _INCOMPLETE)
_mismatch = partial(ApiFault, "SignatureDoesNotMatch")
_SAYS: Mapping[str, str] = beside(__file__, "messages.yaml")
missing_token = partial(ApiFault, "MissingAuthenticationToken", _SAYS["no token"])


def _verify(request: HttpRequest, context: Context) -> Authenticated:
    """The checks are in AWS's order."""
    headers = canonical.header_map(request)
    claim = _claim(request, headers)
    _require_fresh(claim, context)
    _require_scope(claim)
    record = _key(claim, context)
    payload_hash = hashlib.sha256(request.body).hexdigest()
    signature, *_ = claim.sign(request, headers, payload_hash, record.secret_access_key)
    if not canonical.same(signature, claim.signature):
        raise _mismatch(_SAYS["mismatch"])
    plain = canonical.plain_request(request, canonical.ALGORITHM) if claim.in_query else request
    return claim.authenticated(plain, record, context, headers.get(HASH_HEADER, ""))


def _claim(request: HttpRequest, headers: canonical.Headers) -> Claim:
    parameters = dict(reversed(request.query))
    in_header, in_query = "authorization" in headers, "X-Amz-Algorithm" in parameters
    if in_header and in_query:
        raise _mismatch(_SAYS["mismatch"])
    if not in_header and not in_query:
        raise missing_token()
    if name := canonical.repeated([name.lower() for name, _ in request.headers], _ONCE):
        raise _incomplete(f"The header '{name}' is given more than once.")
    if name := canonical.repeated([name for name, _ in request.query], _ONCE_PARAMETERS):
        raise _incomplete(f"The query-string parameter '{name}' is given more than once.")
    claim = _from_header(headers) if in_header else _from_query(parameters)
    if "host" not in claim.signed_headers:
        raise _mismatch(_SAYS["host not signed"])
    # The payload's hash and the date are covered whether or not their headers are signed.
    signed = {*claim.signed_headers, HASH_HEADER, "x-amz-date"}
    if unsigned := sorted(name for name in headers.keys() - signed if name.startswith("x-amz-")):
        raise _mismatch(f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization.")
    return claim


def _from_header(headers: canonical.Headers) -> Claim:
    text = headers["authorization"]
    algorithm, _, rest = text.partition(" ")
    if algorithm != canonical.ALGORITHM:
        raise s3.unlogged(_INCOMPLETE, _SAYS["algorithm"], algorithm)
    fields: dict[str, str] = {}
    for part in rest.replace(",", " ").split():
        name, equals, value = part.partition("=")
        if not equals:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            raise _incomplete(_SAYS["no equal sign"].format(digest))
        if name in fields:
            raise _incomplete(f"Authorization header has '{name}' more than once.")
        fields[name] = value
    date = headers.get("x-amz-date") or headers.get("date", "")
    missing = [f"requires '{name}' parameter." for name in _FIELDS if name not in fields]
    if not date:
        missing.append(_SAYS["requires a date"])
    if missing:
        text = " ".join(f"Authorization header {problem}" for problem in missing)
        raise _incomplete(f"{text} Authorization={algorithm}")
    token = headers.get(TOKEN, "") or " " * (TOKEN in headers)  # an empty token is not none
    return _parsed(fields, date, token, in_query=False)


def _from_query(parameters: Mapping[str, str]) -> Claim:
    if parameters["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise missing_token()
    absent = [name for name in _PARAMETERS if name not in parameters]
    if missing := [f"AWS query-string parameters must include '{name}'." for name in absent]:
        raise _incomplete(f"{' '.join(missing)} Re-examine the query-string parameters.")
    fields = {name: parameters[f"X-Amz-{name}"] for name in _FIELDS}
    token = parameters.get("X-Amz-Security-Token", "")
    return _parsed(fields, parameters["X-Amz-Date"], token, in_query=True)


def _parsed(fields: Mapping[str, str], date: str, token: str, *, in_query: bool) -> Claim:
    time = canonical.basic_time(date) if in_query else canonical.header_time(date)
    if time is None:
        raise _incomplete(_SAYS["date"].format(date))
    credential = canonical.Credential.of(fields["Credential"])
    if credential is None:
        raise s3.unlogged(_INCOMPLETE, _SAYS["credential"], fields["Credential"])
    signed = tuple(fields["SignedHeaders"].split(";", MAX_HEADERS))
    return Claim(credential, signed, fields["Signature"], time, token, in_query)


def _require_fresh(claim: Claim, context: Context) -> None:
    now, made = context.real_clock(), stamp(claim.time)
    if now - claim.time > MAX_SKEW:
        raise _mismatch(_SAYS["expired"].format(made, stamp(now - MAX_SKEW), stamp(now)))
    if claim.time - now > MAX_SKEW:
        raise _mismatch(_SAYS["too early"].format(made, stamp(now + MAX_SKEW), stamp(now)))


def _require_scope(claim: Claim) -> None:
    credential, made = claim.credential, stamp(claim.time)
    problems = []
    if credential.region not in canonical.REGIONS:
        problems.append(_SAYS["scope's region"])
    if credential.terminal != "aws4_request":
        problems.append(_SAYS["scope's end"].format(credential.terminal))
    if credential.date != made[:8]:
        problems.append(_SAYS["scope's date"].format(credential.date, made[:8], made))
    if problems:
        raise _mismatch(" ".join(problems))


def _key(claim: Claim, context: Context) -> KeyRecord:
    record = context.keys(claim.credential.access_key_id)
    message = "The security token included in the request is"
    if record is None or not record.active or not canonical.same(record.session_token, claim.token):
        raise ApiFault("InvalidClientTokenId", f"{message} invalid.")
    if context.expired(record):
        raise ApiFault("ExpiredToken", f"{message} expired")
    return record
