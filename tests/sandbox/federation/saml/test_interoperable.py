"""Responses that another implementation signed, and one that it encrypted: xmlsec1, on libxml2 and OpenSSL.

They are written as identity providers write them: over several lines, with prefixes that a
signature counts though no element has them (`InclusiveNamespaces`), and with types of values.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree
from tests.sandbox.cases import CASES
from tests.sandbox.federation.saml import forging

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.federation.saml import names
from stslab.sandbox.federation.saml.assertion import Assertion
from stslab.sandbox.state.identities import SamlProvider
from stslab.sandbox.sts import saml

FOLDER: Path = CASES / "saml"
PROVIDER = SamlProvider(
    account="111122223333",
    name="p",
    unique_id="SAMLSPAAAAAAAAAAAAAAAA",
    created=datetime(2030, 1, 1, tzinfo=UTC),
    valid_until=datetime(2130, 1, 1, tzinfo=UTC),
    metadata=(FOLDER / "metadata.xml").read_text(),
)
NOW: Any = SimpleNamespace(now=datetime(2030, 1, 1, 0, 1, tzinfo=UTC), request_id="r")


def read(response: bytes) -> Assertion:
    return saml.verified(response, PROVIDER, NOW)


@pytest.mark.parametrize("name", ["assertion", "both"])
def test_a_signed_response_is_read(name: str) -> None:
    found = read((FOLDER / f"{name}.xml").read_bytes())
    assert (found.issuer, found.subject) == ("https://idp.example.com/saml", "ana & ben")
    assert found.subject_format == f"{names.NAME_FORMAT}transient"
    assert found.attributes == {
        names.SESSION_NAME: ("ana",),
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.10": ("opaque",),
    }


@pytest.mark.parametrize("name", ["assertion", "both"])
def test_a_changed_response_is_refused(name: str) -> None:
    text = (FOLDER / f"{name}.xml").read_text()
    for before, after in (("ana &amp; ben", "root"), (">ana<", ">root<"), ("opaque", "other")):
        assert before in text
        with pytest.raises(ApiFault, match="Response signature invalid"):
            read(text.replace(before, after).encode())


def test_a_response_whose_assertion_is_not_signed_is_refused() -> None:
    with pytest.raises(ApiFault, match="an assertion with a mandatory signature"):
        read((FOLDER / "response.xml").read_bytes())


def test_an_encrypted_assertion_is_refused() -> None:
    with pytest.raises(ApiFault, match="The SAML assertion is encrypted"):
        read((FOLDER / "encrypted.xml").read_bytes())


def test_sha_1_signs_nothing() -> None:
    with pytest.raises(ApiFault, match="Response signature invalid"):
        read((FOLDER / "sha1.xml").read_bytes())


@pytest.mark.parametrize("outer", [True, False], ids=["the response's", "the assertion's"])
def test_of_two_signatures_both_count(outer: bool) -> None:
    root = etree.fromstring((FOLDER / "both.xml").read_bytes())
    signed = root if outer else root.find("a:Assertion", forging.NS)
    value = signed.find("d:Signature/d:SignatureValue", forging.NS)
    value.text = "A" * 342 + "=="
    with pytest.raises(ApiFault, match="Response signature invalid"):
        read(etree.tostring(root))
