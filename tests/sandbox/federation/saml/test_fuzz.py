"""Any SAML response or metadata is answered, and none but a signed one is accepted."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.sandbox.federation.saml import forging
from tests.sandbox.federation.saml.conftest import Federation

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.federation.saml import metadata, minting

QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def answered(federation: Federation, data: bytes) -> None:
    """The response is refused, or the values accepted are exactly the signed ones."""
    answer = federation.assume(base64.b64encode(data).decode())
    if "Code" in answer:
        assert answer["Status"] < 500
    else:
        assert answer["Subject"] == "ana"
        assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/forged/ana")
        assert answer["SessionTokenSize"] == 352  # no tags, no policies


@QUICK
@given(data=st.binary(min_size=3, max_size=300))
def test_any_bytes(federation: Federation, data: bytes) -> None:
    answered(federation, data)


@QUICK
@given(text=st.text(min_size=4, max_size=100))
def test_any_text_in_place_of_base64(federation: Federation, text: str) -> None:
    assert federation.assume(text).get("Status", 500) < 500


@QUICK
@given(data=st.data())
def test_a_response_with_other_bytes(federation: Federation, data: st.DataObject) -> None:
    sent = bytearray(etree.tostring(federation.response(whole=data.draw(st.booleans()))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(sent) - 1))
        sent[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    answered(federation, bytes(sent))


def changed(root: Any, draw: Any) -> Any:
    """One element removed, doubled, moved, renamed, emptied or with another attribute."""
    elements = list(root.iter("*"))[1:]
    if not elements:
        return root
    chosen = elements[draw(st.integers(0, len(elements) - 1))]
    other = elements[draw(st.integers(0, len(elements) - 1))]
    parent = chosen.getparent()
    match draw(st.integers(0, 5)):
        case 0:
            parent.remove(chosen)
        case 1:
            parent.append(etree.fromstring(etree.tostring(chosen)))
        case 2 if other not in chosen.iter():
            other.append(chosen)
        case 3:
            chosen.tag = other.tag
        case 4:
            chosen.text = draw(st.sampled_from(["", "root", "*", "2030", "a,b"]))
        case _:
            names = [*chosen.attrib, "ID", "URI", "Algorithm"]
            chosen.set(draw(st.sampled_from(names)), draw(st.sampled_from(["", "x", "#x", "-1"])))
    return root


@settings(parent=QUICK, max_examples=15)
@given(data=st.data())
def test_a_response_with_other_elements(federation: Federation, data: st.DataObject) -> None:
    root = federation.response(whole=data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(1, 3))):
        root = changed(root, data.draw)
    answered(federation, etree.tostring(root))


@settings(parent=QUICK, max_examples=15)
@given(data=st.data())
def test_what_is_signed_may_be_anything(federation: Federation, data: st.DataObject) -> None:
    """Invalid content is answered, even if it is signed."""
    root = federation.response()
    assertion = root.find("a:Assertion", forging.NS)
    forging.remove_signature(assertion)
    for _ in range(data.draw(st.integers(1, 3))):
        changed(assertion, data.draw)
    if assertion.get("ID") and len(assertion):
        root.replace(assertion, minting.signed(assertion, federation.idp))
    answer = federation.assume(forging.written(root))
    assert answer.get("Status", 200) < 500


@settings(parent=QUICK, max_examples=30)
@given(data=st.data())
def test_metadata_with_other_elements(federation: Federation, data: st.DataObject) -> None:
    root = etree.fromstring(minting.metadata(federation.idp).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        root = changed(root, data.draw)
    with suppress(ApiFault):
        assert metadata.read(etree.tostring(root).decode())


@QUICK
@given(text=st.text(max_size=300))
def test_any_text_as_metadata(text: str) -> None:
    with pytest.raises(ApiFault, match="Could not parse metadata"):
        metadata.read(text)
