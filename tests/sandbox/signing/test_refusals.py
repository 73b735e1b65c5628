"""Refusals with AWS's errors: tests/cases/sandbox/signatures.yaml, row by row."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.session
import pytest
from tests import yaml_files
from tests.sandbox.signing.signed import (
    SECRET,
    TOKEN,
    authenticator,
    signed,
    with_header,
    with_target,
)

from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.signing.canonical import REGIONS

CASES = yaml_files.read(Path(__file__).parents[2] / "cases" / "sandbox" / "signatures.yaml")
FIELDS = {"name", "how", "with", "edit", "clock", "code", "status", "message", "extra", "page"}


def _meant(value: str | None) -> str | None:
    """A value of the table, with its placeholders filled in."""
    if value == "DATE-MINUTE":
        return (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y%m%dT%H%M%SZ")
    return {"TOKEN": TOKEN, "LONG": "x" * 8192}.get(value or "", value)


def _signed(case: dict) -> HttpRequest:
    given = dict(case.get("with", {}))
    given["token"] = _meant(given.get("token"))
    given["body"] = str(given.get("body", "")).encode()
    return signed(case["how"], **given)


def _edited(request: HttpRequest, edit: dict) -> HttpRequest:
    for name, value in edit.get("header", {}).items():
        request = with_header(request, name, _meant(value))
    for name, value in edit.get("again", {}).items():
        request = replace(request, headers=(*request.headers, (name, value)))
    if "authorization" in edit:
        pattern, text = edit["authorization"]
        old = request.header("authorization")
        new = re.sub(pattern, text, old, count=1)
        assert new != old, "the edit changes nothing"
        request = with_header(request, "Authorization", new)
    if "query" in edit:
        pattern, text = edit["query"]
        new = re.sub(pattern, text, request.raw_query, count=1)
        assert new != request.raw_query, "the edit changes nothing"
        request = with_target(request, request.path, new)
    body = str(edit["body"]).encode() if "body" in edit else request.body
    return replace(
        request,
        body=body,
        path=edit.get("path", request.path),
        method=edit.get("method", request.method),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_refused(case):
    assert set(case) <= FIELDS
    request = _edited(_signed(case), case.get("edit", {}))
    with pytest.raises(ApiFault) as caught:
        authenticator(timedelta(seconds=case.get("clock", 0))).authenticate(request)
    fault = caught.value
    assert (fault.code, fault.status) == (case["code"], case["status"])
    assert re.fullmatch(case.get("message", ".*"), fault.message)
    wanted = case.get("extra", {})
    told = [(name, value) for name, value in fault.extra.items() if name in wanted]
    assert told == list(wanted.items())  # in S3's order
    said = f"{fault} {fault.extra} {fault.headers}"
    assert TOKEN not in said
    assert SECRET not in said


_SIGNED = "StringToSign SignatureProvided StringToSignBytes CanonicalRequest CanonicalRequestBytes"


@pytest.mark.parametrize(
    ("secret", "clock", "elements"),
    [
        (SECRET, 960, "RequestTime ServerTime MaxAllowedSkewMilliseconds"),
        ("wrong", 0, f"AWSAccessKeyId {_SIGNED}"),
    ],
)
def test_elements_are_in_s3_s_order(secret: str, clock: int, elements: str) -> None:
    """S3's answers: versity/versitygw#1514; justincormack/argmin, chunked.rs."""
    request = signed("s3-header", path="/b/k", secret=secret)
    with pytest.raises(ApiFault) as caught:
        authenticator(timedelta(seconds=clock)).authenticate(request)
    assert list(caught.value.extra) == elements.split()


def test_a_presigned_request_may_have_its_token_in_a_signed_header():
    # justincormack/argmin, sts_oracle.rs, which runs on AWS
    sent = {"x-amz-security-token": TOKEN}
    request = signed("s3-presigned", key="ASIASESSION7EXAMPLE", headers=sent)
    found = authenticator().authenticate(request)
    assert found.caller.access_key_id == "ASIASESSION7EXAMPLE"


@pytest.mark.parametrize("how", sorted({case["how"] for case in CASES}))
def test_the_same_request_unedited_is_accepted(how):
    path = "/b/k" if how.startswith("s3") else "/?Action=GetCallerIdentity"
    assert authenticator().authenticate(signed(how, path=path)).caller.kind == "IAMUser"


def test_names_are_unique():
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)


_NAMES = ["x-amz-date;host;x-amz-content-sha256", "host;Host;X-Amz-Content-SHA256;X-Amz-Date"]


@pytest.mark.parametrize("names", _NAMES)
def test_s3_takes_the_names_of_signed_headers_in_any_order_and_case(names):
    """Seen at S3: justincormack/argmin, plans/completed/aws-auth-oracle-coverage-plan.md."""
    edit = {"authorization": ["SignedHeaders=[^,]*", f"SignedHeaders={names}"]}
    request = _edited(signed("s3-header", path="/b/k"), edit)
    assert authenticator().authenticate(request).caller.kind == "IAMUser"


def test_the_canonical_request_is_shown_without_the_session_token():
    request = signed(
        "s3-header", path="/b/k", secret="wrong", key="ASIASESSION7EXAMPLE", token=TOKEN
    )
    with pytest.raises(ApiFault) as caught:
        authenticator().authenticate(request)
    shown = caught.value.extra["CanonicalRequest"]
    assert shown.startswith("GET\n/b/k\n\nhost:127.0.0.1:4566\n")
    assert "x-amz-security-token:(a session token)\n" in shown
    assert TOKEN.encode().hex(" ") not in caught.value.extra["CanonicalRequestBytes"]


@pytest.mark.parametrize("how", ["s3-presigned", "s3-v2-presigned", "s3-v2-header"])
def test_no_mismatch_shows_the_session_token(how):
    from urllib.parse import quote

    request = signed(how, path="/b/k", secret="wrong", key="ASIASESSION7EXAMPLE", token=TOKEN)
    with pytest.raises(ApiFault) as caught:
        authenticator().authenticate(request)
    said = str(caught.value.extra)
    assert caught.value.code == "SignatureDoesNotMatch"
    for secret in (TOKEN, quote(TOKEN, safe=""), quote(TOKEN), TOKEN.encode().hex(" ")):
        assert secret not in said


def test_the_regions_are_those_of_the_service_models():
    assert sorted(REGIONS) == sorted(botocore.session.get_session().get_available_regions("sts"))
