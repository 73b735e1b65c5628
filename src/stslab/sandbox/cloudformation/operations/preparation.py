"""What comes before the transaction of a request: all for which others must be called.

A template is read from S3 and the service role is assumed in calls of their own, which can't be
made inside a transaction. A template is parsed here too, which may take long.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.api.services import Internal
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.needs import SERVICE
from stslab.sandbox.cloudformation.operations.requests import checked_template
from stslab.sandbox.cloudformation.stacks.engine import Engine
from stslab.sandbox.cloudformation.template import source

URL_LIMIT = 1_048_576
"""How long a template in S3 may be, in bytes ("AWS CloudFormation quotas")."""

VIRTUAL_HOST = re.compile(r"(?P<bucket>[^/]+)\.s3[.-][^/]*amazonaws\.com")
PATH_HOST = re.compile(r"s3[^/]*\.amazonaws\.com|127\.0\.0\.1|localhost")


def prepared(call: Internal, engine: Engine, request: ApiRequest) -> ApiRequest:
    """The request with its template's text as ``TemplateBody``, wherever that is.

    Raises:
        ApiFault: ``ValidationError``: the template is none, or can't be read by the caller, or
            CloudFormation can't assume the service role.
    """
    params = dict(request.params)
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if body and url:
        raise invalid("Either Template URL or Template Body must be specified, not both.")
    if url:
        params["TemplateBody"] = _download(call, request, url)
    elif body:
        source.check_size(body)
    if body or url:
        checked_template(params["TemplateBody"])
    if params.get("RoleARN"):
        engine.as_role(params["RoleARN"])
    return replace(request, params=params)


def _download(call: Internal, request: ApiRequest, url: str) -> str:
    bucket, key = _place(url)
    try:
        found = call(request.caller, "s3", "GetObject", {"Bucket": bucket, "Key": key}, (SERVICE,))
    except ApiFault as fault:
        raise invalid(f"S3 error: {fault.message}") from None
    body = found["Body"]
    text = body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")
    if len(text) > URL_LIMIT:
        raise invalid(f"Template may not exceed {URL_LIMIT} bytes in size.")
    return text


def _place(url: str) -> tuple[str, str]:
    """The bucket and the key that a template's URL names."""
    try:
        parts = urlsplit(url)
        host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    except ValueError:
        raise _unsupported_url() from None
    if parts.scheme == "s3":
        raise invalid(f"S3 error: Domain name specified in {host} is not a valid S3 domain")
    virtual = VIRTUAL_HOST.fullmatch(host)
    if virtual and path:
        return virtual["bucket"], path
    bucket, _, key = path.partition("/")
    if PATH_HOST.fullmatch(host) and bucket and key:
        return bucket, key
    raise _unsupported_url()


def _unsupported_url() -> ApiFault:
    return invalid("TemplateURL must be a supported URL.")
